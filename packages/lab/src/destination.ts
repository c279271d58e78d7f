import {
  addressBits,
  type Family,
  formatAddress,
  lastOf,
  type Prefix,
  readAddress,
  readPrefix,
} from "@ip-masq-agent/core";
import { addresses } from "./topology.ts";

interface Unroutable {
  readonly prefix: Prefix;
  readonly reason: string;
}

/** Where a node forwards no packet; the rest of the address space arrives outside. */
const unroutable: Readonly<Record<Family, readonly Unroutable[]>> = {
  IPv4: [
    range("IPv4", "0.0.0.0/8", "it is of this network (RFC 1122 section 3.2.1.3)"),
    range("IPv4", "127.0.0.0/8", "it is a loopback address"),
    range("IPv4", "224.0.0.0/4", "it is a multicast address"),
    range("IPv4", "255.255.255.255", "it is the broadcast address"),
  ],
  IPv6: [
    range("IPv6", "::", "it is the unspecified address"),
    range("IPv6", "::1", "it is the loopback address"),
    range("IPv6", "::ffff:0:0/96", "no IPv6 packet carries an IPv4-mapped address"),
    range("IPv6", "fe80::/10", "a link-local address is never forwarded (RFC 4291 section 2.5.6)"),
    range("IPv6", "ff00::/8", "it is a multicast address"),
  ],
};

/** Why the lab cannot send a packet of the family there; undefined: it can. */
export function refusal(family: Family, destination: string): string | undefined {
  const address = readAddress(family, destination);
  if (address === undefined) return `it is not an ${family} address`;
  const { pod, node, gateway } = addresses[family];
  if (address === readAddress(family, pod)) return "it is the pod itself";
  if (address === readAddress(family, node) || address === readAddress(family, gateway)) {
    return "it is the node itself, so the packet would not leave it";
  }
  return unroutable[family].find(({ prefix }) => address >= prefix.first && address <= lastOf(prefix))?.reason;
}

/**
 * A destination that the lab can send to, by rejection from the whole address space.
 * `random` gives numbers in [0, 1), as `Math.random` does; give a seeded one for a test that can be repeated.
 */
export function randomDestination(family: Family, random: () => number): string {
  for (;;) {
    let address = 0n;
    for (let bits = 0; bits < addressBits(family); bits += 16) {
      address = (address << 16n) | BigInt(Math.floor(random() * 65_536));
    }
    const text = formatAddress(family, address);
    if (refusal(family, text) === undefined) return text;
  }
}

function range(family: Family, text: string, reason: string): Unroutable {
  const prefix = readPrefix(family, text);
  if (prefix === undefined) throw new Error(`${text} is not an ${family} prefix`);
  return { prefix, reason };
}
