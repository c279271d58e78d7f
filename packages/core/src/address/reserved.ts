import type { Family } from "./family.ts";
import { type Prefix, parsePrefix } from "./prefix.ts";

/** A range that a standard sets apart. */
export interface ReservedRange {
  readonly prefix: Prefix;
  /** The document that reserves it. */
  readonly rfc: string;
  readonly purpose: string;
}

/** Exempt where a config has no `nonMasqueradeCIDRs`. */
export const privateRanges: readonly ReservedRange[] = [
  range("10.0.0.0/8", "RFC 1918", "private use"),
  range("172.16.0.0/12", "RFC 1918", "private use"),
  range("192.168.0.0/16", "RFC 1918", "private use"),
];

/** Exempt as well with `--nomasq-all-reserved-ranges`: the Go original's list, in its order. IPv4 only, as there. */
export const reservedRanges: readonly ReservedRange[] = [
  range("100.64.0.0/10", "RFC 6598", "shared address space behind carrier-grade NAT"),
  range("192.0.0.0/24", "RFC 6890", "IETF protocol assignments"),
  range("192.0.2.0/24", "RFC 5737", "documentation (TEST-NET-1)"),
  range("192.88.99.0/24", "RFC 7526", "the former 6to4 relay anycast"),
  range("198.18.0.0/15", "RFC 2544", "benchmarks"),
  range("198.51.100.0/24", "RFC 5737", "documentation (TEST-NET-2)"),
  range("203.0.113.0/24", "RFC 5737", "documentation (TEST-NET-3)"),
  range("240.0.0.0/4", "RFC 1112 section 4", "future use"),
];

/** Addresses that are valid on one link only: RFC 3927, and RFC 4291 section 2.5.6. */
export const linkLocal: Readonly<Record<Family, Prefix>> = {
  IPv4: literal("169.254.0.0/16"),
  IPv6: literal("fe80::/10"),
};

function range(cidr: string, rfc: string, purpose: string): ReservedRange {
  return { prefix: literal(cidr), rfc, purpose };
}

function literal(cidr: string): Prefix {
  const prefix = parsePrefix(cidr);
  if ("code" in prefix) throw new Error(`${cidr} ${prefix.reason}`);
  return prefix;
}
