import { type Family, networkOf, parseAddress } from "@ip-masq-agent/core";
import { askTool } from "./tool.ts";

/** The way out of the node, and the address that masquerade takes there; or why it cannot be told. */
export type WayOut =
  | { readonly device: string; readonly gateway: string | undefined; readonly address: string | undefined }
  | { readonly unknown: string };

interface Route {
  readonly dev?: string;
  readonly gateway?: string;
  readonly prefsrc?: string;
}

interface InterfaceAddress {
  readonly family: string;
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
  readonly secondary?: boolean;
}

/**
 * Asks the kernel for the route. Masquerade takes, of the interface's addresses, the one in the next hop's subnet, else
 * the first (the kernel's inet_select_addr); for IPv6 the one that it would itself send from.
 */
export async function wayOut(family: Family, destination: string): Promise<WayOut> {
  const flag = family === "IPv4" ? "-4" : "-6";
  const routes = await askTool("ip", [flag, "-j", "route", "get", destination]);
  if ("failure" in routes) return { unknown: noRoute(routes.failure) };
  const [route] = parse<Route>(routes.stdout);
  if (route?.dev === undefined) return { unknown: "the kernel has no route there" };
  const { dev: device, gateway } = route;
  if (family === "IPv6") return { device, gateway, address: route.prefsrc };
  const addresses = await askTool("ip", [flag, "-j", "address", "show", "dev", device]);
  if ("failure" in addresses) return { device, gateway, address: undefined };
  const [link] = parse<{ readonly addr_info?: readonly InterfaceAddress[] }>(addresses.stdout);
  return { device, gateway, address: masqueradeAddress(link?.addr_info ?? [], gateway ?? destination) };
}

/** Of an interface's IPv4 addresses, the one that a masqueraded packet to this next hop leaves with. */
export function masqueradeAddress(addresses: readonly InterfaceAddress[], nextHop: string): string | undefined {
  const hop = parseAddress(nextHop)?.value;
  const usable = addresses.filter(({ secondary, scope }) => !secondary && scope === "global");
  const near = usable.find(({ local, prefixlen }) => {
    const own = parseAddress(local)?.value;
    return own !== undefined && hop !== undefined && networkOf(own, prefixlen, 32) === networkOf(hop, prefixlen, 32);
  });
  return (near ?? usable[0])?.local;
}

function noRoute(failure: string): string {
  return /unreachable/i.test(failure) ? "the kernel has no route there" : failure;
}

function parse<T>(text: string): readonly T[] {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}
