import { networkOf, type Prefix, parseAddress } from "@ip-masq-agent/core";
import type { Node } from "./examination.ts";

/** A range that pods of this node, or of the cluster, have their addresses from, and where that was read. */
export interface PodRange {
  readonly range: Prefix;
  readonly source: string;
}

const cniDirectory = "/etc/cni/net.d";
const flannelFile = "/run/flannel/subnet.env";
/** Bridges and tunnels that carry pods' addresses: the CNI bridge plugin's, kubenet's, flannel's, kube-router's. */
const bridges: readonly string[] = ["cni0", "cbr0", "flannel.1", "kube-bridge"];

/** Ranges of pods, as far as this node tells: CNI's config, flannel's file, and the addresses of known bridges. */
export async function podRanges(node: Node): Promise<readonly PodRange[]> {
  const found = [...(await fromCni(node)), ...(await fromFlannel(node)), ...(await fromBridges(node))];
  const seen = new Set<string>();
  return found.filter(({ range: { first, length } }) => {
    const key = `${first}/${length}`;
    return !seen.has(key) && seen.add(key);
  });
}

async function fromCni({ list, read }: Node): Promise<readonly PodRange[]> {
  const names = (await list(cniDirectory)).filter((name) => /\.(?:conf|conflist|json)$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      const file = `${cniDirectory}/${name}`;
      const text = (await read(file)) ?? "";
      // What keys hold subnets differs with the plugin; the value looks the same everywhere.
      return [...text.matchAll(/"(?:subnet|podCIDR|clusterCIDR)"\s*:\s*"([^"]+)"/g)].map(([, cidr]) => ({
        cidr,
        source: file,
      }));
    }),
  );
  return found.flat().flatMap(({ cidr = "", source }) => rangeOf(cidr, source));
}

async function fromFlannel({ read }: Node): Promise<readonly PodRange[]> {
  const text = (await read(flannelFile)) ?? "";
  return [...text.matchAll(/^FLANNEL_(?:IPV6_)?NETWORK=(\S+)$/gm)].flatMap(([, cidr = ""]) =>
    rangeOf(cidr, flannelFile),
  );
}

async function fromBridges({ ask }: Node): Promise<readonly PodRange[]> {
  const answer = await ask("ip", ["-j", "address", "show"]);
  if ("failure" in answer) return [];
  const links: unknown = JSON.parse(answer.stdout);
  if (!Array.isArray(links)) return [];
  return (links as readonly Link[]).flatMap(({ ifname, addr_info = [] }) =>
    bridges.includes(ifname)
      ? addr_info.flatMap(({ local, prefixlen, scope }) =>
          scope === "global" ? rangeOf(`${local}/${prefixlen}`, `interface ${ifname}`) : [],
        )
      : [],
  );
}

interface Link {
  readonly ifname: string;
  readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
}

/** An address with a length, host bits or not; a single address says nothing of a range. */
function rangeOf(text: string, source: string): readonly PodRange[] {
  const [address = "", digits = ""] = text.split("/");
  const parsed = parseAddress(address);
  if (parsed === undefined || !/^\d{1,3}$/.test(digits)) return [];
  const { family, value } = parsed;
  const [length, bits] = [Number(digits), family === "IPv4" ? 32 : 128];
  return length < bits ? [{ range: { family, first: networkOf(value, length, bits), length }, source }] : [];
}
