import { IPv4, IPv6 } from "ip-num";
import { addressBits, type Family, hostMask } from "./family.ts";

/**
 * An address range in CIDR form (RFC 4632, RFC 4291): `first` is the network address as a number, and every
 * bit right of `length` in it is 0.
 */
export interface Prefix {
  readonly family: Family;
  readonly first: bigint;
  readonly length: number;
}

/** Why a text is not a prefix, in words that finish the sentence "CIDR … is refused: it …". */
export type PrefixProblem =
  | { readonly code: "syntax"; readonly reason: string; readonly remedy: string }
  | { readonly code: "misaligned"; readonly reason: string; readonly remedy: string }
  | { readonly code: "v4-mapped"; readonly reason: string; readonly remedy: string };

const dottedQuad = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/;
const prefixLength = /^(?:0|[1-9]\d{0,2})$/;

/**
 * Reads a CIDR as a person writes it in the config: exact, no surrounding space, no leading zeros in octets or length
 * (RFC 6943 section 3.1.1: they are octal to some readers), network bits only.
 */
export function parsePrefix(text: string): Prefix | PrefixProblem {
  const slash = text.lastIndexOf("/");
  if (slash < 0) {
    const address = parseAddress(text);
    return address === undefined
      ? syntax("is not an address with a prefix length", "write it as 10.0.0.0/8 or fd00::/8")
      : syntax("has no prefix length", `write ${text}/${addressBits(address.family)} for this one address`);
  }
  const address = parseAddress(text.slice(0, slash));
  if (address === undefined) {
    return syntax("is not an IPv4 or IPv6 address with a prefix length", "write it as 10.0.0.0/8 or fd00::/8");
  }
  const bits = addressBits(address.family);
  const lengthText = text.slice(slash + 1);
  const length = Number(lengthText);
  if (!prefixLength.test(lengthText) || length > bits) {
    return syntax(
      `has the prefix length "${lengthText}"`,
      `use a whole number from 0 to ${bits}, without leading zeros`,
    );
  }
  const first = networkOf(address.value, length, bits);
  // The Go original passed IPv4-mapped CIDRs to iptables, which refused them and left a jump to an empty chain.
  if (address.family === "IPv6" && address.value >> 32n === 0xffffn) {
    const v4 = formatAddress("IPv4", address.value & 0xffffffffn);
    return {
      code: "v4-mapped",
      reason: "is an IPv4-mapped IPv6 range, which no packet carries as its destination",
      remedy: length >= 96 ? `write the IPv4 range ${v4}/${length - 96}` : "write the IPv4 range it stands for",
    };
  }
  if (first !== address.value) {
    return {
      code: "misaligned",
      reason: `is not aligned: ${formatAddress(address.family, address.value)} has bits set right of /${length}`,
      remedy: `write ${formatAddress(address.family, first)}/${length}, or ${text.slice(0, slash)}/${bits} for the one address`,
    };
  }
  return { family: address.family, first, length };
}

/** An address as a person writes it; undefined where it is none. IPv6 zones (`%eth0`) are none. */
export function parseAddress(text: string): { readonly family: Family; readonly value: bigint } | undefined {
  try {
    if (dottedQuad.test(text)) return { family: "IPv4", value: IPv4.fromString(text).getValue() };
    const hexadecimal = withoutDottedTail(text);
    if (hexadecimal === undefined || !/^[0-9a-fA-F:]+$/.test(hexadecimal) || !hexadecimal.includes(":"))
      return undefined;
    return { family: "IPv6", value: IPv6.fromString(hexadecimal).getValue() };
  } catch {
    return undefined;
  }
}

/** ip-num 1.6 reads the dotted tail of `::ffff:10.0.0.1` (RFC 4291 section 2.2, form 3) 16 bits too high: rewrite it. */
function withoutDottedTail(text: string): string | undefined {
  const colon = text.lastIndexOf(":");
  const tail = text.slice(colon + 1);
  if (!tail.includes(".")) return text;
  if (!dottedQuad.test(tail)) return undefined;
  const value = IPv4.fromString(tail).getValue();
  return `${text.slice(0, colon + 1)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

/** The network address of `value` under `length`: every bit right of it cleared. */
export function networkOf(value: bigint, length: number, bits: number): bigint {
  const host = BigInt(bits - length);
  return (value >> host) << host;
}

/** The last address of a prefix. */
export function lastOf(prefix: Prefix): bigint {
  return prefix.first | hostMask(prefix.family, prefix.length);
}

/** `10.0.0.0/8`; IPv6 as RFC 5952 says: lower case, longest run of zeros shortened. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.family, prefix.first)}/${prefix.length}`;
}

/** An address number in its canonical text. */
export function formatAddress(family: Family, value: bigint): string {
  if (family === "IPv4") {
    const number = Number(value);
    return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
  }
  const groups: string[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((value >> shift) & 0xffffn).toString(16));
  return shortenZeros(groups);
}

/** RFC 5952 section 4.2: the longest run of two or more zero groups, the first one of equals, becomes `::`. */
function shortenZeros(groups: readonly string[]): string {
  let start = -1;
  let length = 1;
  for (let from = 0; from < groups.length; from++) {
    let to = from;
    while (groups[to] === "0") to++;
    if (to - from > length) [start, length] = [from, to - from];
    if (to > from) from = to;
  }
  if (start < 0) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

function syntax(reason: string, remedy: string): PrefixProblem {
  return { code: "syntax", reason, remedy };
}
