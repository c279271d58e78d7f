import {
  contains,
  formatPrefix,
  linkLocal,
  networkOf,
  type Prefix,
  parseAddress,
  prefixSet,
  subtract,
} from "@ip-masq-agent/core";
import type { Answered } from "../kernel/tool.ts";
import type { Node } from "./examination.ts";

/** A range that pods of this node, or of the cluster, have their addresses from, and where that was read. */
export interface PodRange {
  readonly range: Prefix;
  readonly source: string;
}

const cniDirectory = "/etc/cni/net.d";
const flannelFile = "/run/flannel/subnet.env";
/** Bridges and tunnels that carry pods' addresses: the CNI bridge plugin's, kubenet's, flannel's, kube-router's. */
const bridges: readonly string[] = ["cni0", "cbr0", "flannel.1", "kube-bridge", "cilium_host"];
/** Devices that a network plugin makes to reach its pods, here and on other nodes. */
const towardsPods =
  /^(?:cni0|cbr0|kube-bridge|flannel(?:-v6)?\.\d+|vxlan(?:-v6)?\.calico|wireguard\.cali|tunl0|cilium_(?:host|vxlan|geneve)|weave)$/;
/** Calico's blackhole routes, one for each block of addresses that is this node's. */
const calicosProtocols: readonly string[] = ["bird", "80"];

/**
 * Ranges of pods, as far as this node tells: CNI's config, flannel's file, the addresses of known bridges, and routes.
 * Each once; a route to a part of a range says nothing new.
 */
export async function podRanges(node: Node): Promise<readonly PodRange[]> {
  const told = [...(await fromCni(node)), ...(await fromFlannel(node)), ...(await fromBridges(node))];
  const seen = new Set<string>();
  const ranges = told.filter(({ range }) => {
    const key = formatPrefix(range);
    return !seen.has(key) && seen.add(key);
  });
  return [...ranges, ...beyond(ranges, await fromRoutes(node))];
}

function beyond(ranges: readonly PodRange[], routes: readonly PodRange[]): readonly PodRange[] {
  return [...Map.groupBy(routes, ({ range }) => range.family)].flatMap(([family, own]) => {
    const known = ranges.flatMap(({ range }) => (range.family === family ? [range] : []));
    // A route for each node of a large cluster: neighbours become one.
    const all = prefixSet(
      family,
      own.map(({ range }) => range),
    );
    return subtract(all, prefixSet(family, known)).prefixes.map((range) => ({ range, source: "routes to pods" }));
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
  const links = listOf<Link>(await ask("ip", ["-j", "address", "show"]));
  return links.flatMap(({ ifname, addr_info = [] }) =>
    bridges.includes(ifname)
      ? addr_info.flatMap(({ local, prefixlen, scope }) =>
          scope === "global" ? rangeOf(`${local}/${prefixlen}`, `interface ${ifname}`) : [],
        )
      : [],
  );
}

async function fromRoutes({ ask, families }: Node): Promise<readonly PodRange[]> {
  const asked = families.map((family) => ask("ip", ["-j", family === "IPv4" ? "-4" : "-6", "route", "show"]));
  return (await Promise.all(asked)).flatMap((answer) =>
    listOf<Route>(answer).flatMap(({ dst, dev = "", type, protocol = "" }) =>
      towardsPods.test(dev) || (type === "blackhole" && calicosProtocols.includes(protocol))
        ? rangeOf(dst, "routes to pods").filter(({ range }) => !isLinkLocal(range))
        : [],
    ),
  );
}

/** Every device that is up has a route for fe80::/64. */
function isLinkLocal({ family, first, length }: Prefix): boolean {
  return contains(prefixSet(family, [linkLocal[family]]), first) && length >= linkLocal[family].length;
}

/** What `ip -j` printed; nothing where it is not the list that it should be: an older ip, or busybox's. */
function listOf<T>(answer: Answered): readonly T[] {
  if ("failure" in answer) return [];
  try {
    const parsed: unknown = JSON.parse(answer.stdout);
    return Array.isArray(parsed) ? (parsed as readonly T[]) : [];
  } catch {
    return [];
  }
}

interface Route {
  readonly dst: string;
  readonly dev?: string;
  readonly type?: string;
  readonly protocol?: string;
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
