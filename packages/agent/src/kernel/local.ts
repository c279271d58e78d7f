import { readFile } from "node:fs/promises";
import { type Family, type Prefix, type PrefixSet, parseAddress, prefixSet } from "@ip-masq-agent/core";

/** `RTF_LOCAL` of include/uapi/linux/ipv6_route.h: a route of the local table. */
const routeLocal = 0x80000000;

/**
 * The addresses that are of type LOCAL on this node, as `fib` and `addrtype` see them: those of its interfaces (IPVS'
 * virtual ones too), 127.0.0.0/8, and whole ranges routed as local. Read from /proc, of this network namespace.
 */
export async function localAddresses(family: Family): Promise<PrefixSet> {
  const file = family === "IPv4" ? "/proc/self/net/fib_trie" : "/proc/self/net/ipv6_route";
  // No file: the kernel has no such family, and so no address of it.
  const text = await readFile(file, "utf8").catch(() => "");
  return prefixSet(family, family === "IPv4" ? parseTrie(text) : parseRoutes(text));
}

/** /proc/net/fib_trie: a line with the address, and below it `/32 host LOCAL`. Each table's trie repeats them. */
export function parseTrie(text: string): readonly Prefix[] {
  const found: Prefix[] = [];
  let first: bigint | undefined;
  for (const line of text.split("\n")) {
    const address = /^\s*\|-- (\S+)$/.exec(line)?.[1];
    if (address !== undefined) first = parseAddress(address)?.value;
    const length = /^\s*\/(\d+) \S+ LOCAL$/.exec(line)?.[1];
    if (length !== undefined && first !== undefined) found.push({ family: "IPv4", first, length: Number(length) });
  }
  return found;
}

/** /proc/net/ipv6_route: network and length in hex, source, next hop, metric, use, flags, interface. */
export function parseRoutes(text: string): readonly Prefix[] {
  return text.split("\n").flatMap((line): readonly Prefix[] => {
    const [network, length, , , , , , , flags] = line.trim().split(/\s+/);
    if (network === undefined || length === undefined || flags === undefined) return [];
    if ((Number.parseInt(flags, 16) & routeLocal) === 0) return [];
    return [{ family: "IPv6", first: BigInt(`0x${network}`), length: Number.parseInt(length, 16) }];
  });
}
