import { addressBits, type Family, hostMask } from "./family.ts";
import type { Prefix } from "./prefix.ts";

/**
 * Reads an address as a kernel tool prints it. The border with people is `parseAddress`; this one is for reading back
 * tens of thousands of addresses at every resync, about ten times as fast, and strict all the same.
 * Undefined where the text is no address of the family.
 */
export function readAddress(family: Family, text: string): bigint | undefined {
  return family === "IPv4" ? readIPv4(text) : readIPv6(text);
}

/** Reads `10.0.0.0/8` or, without a length, one address. Undefined where it is no prefix of the family. */
export function readPrefix(family: Family, text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const bits = addressBits(family);
  const first = readAddress(family, slash < 0 ? text : text.slice(0, slash));
  const length = slash < 0 ? bits : readDecimal(text, slash + 1, text.length, bits);
  if (first === undefined || length === undefined) return undefined;
  return first & hostMask(family, length) ? undefined : { family, first, length };
}

function readIPv4(text: string): bigint | undefined {
  let value = 0;
  let from = 0;
  for (let octet = 0; octet < 4; octet++) {
    const dot = octet === 3 ? text.length : text.indexOf(".", from);
    const number = readDecimal(text, from, dot, 255);
    if (number === undefined) return undefined;
    value = value * 256 + number;
    from = dot + 1;
  }
  return BigInt(value);
}

/** A decimal of `text` between two indexes, at most `limit`. */
function readDecimal(text: string, from: number, to: number, limit: number): number | undefined {
  if (to <= from || to - from > 3) return undefined;
  let value = 0;
  for (let index = from; index < to; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value > limit ? undefined : value;
}

function readIPv6(text: string): bigint | undefined {
  const gap = text.indexOf("::");
  if (gap < 0) {
    const groups = readGroups(text);
    return groups?.length === 8 ? join(groups) : undefined;
  }
  const head = readGroups(text.slice(0, gap));
  const tail = readGroups(text.slice(gap + 2));
  if (head === undefined || tail === undefined || head.length + tail.length > 7) return undefined;
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return join([...head, ...zeros, ...tail]);
}

/** The 16-bit groups of a colon-separated text; a dotted quad at its end counts as two. */
function readGroups(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  for (const [index, part] of text.split(":").entries()) {
    if (part.includes(".")) {
      const value = readIPv4(part);
      if (value === undefined || index !== text.split(":").length - 1) return undefined;
      groups.push(Number(value >> 16n), Number(value & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

function join(groups: readonly number[]): bigint {
  let high = 0n;
  // Two groups at a time: half the big-integer operations.
  for (let index = 0; index < 8; index += 2) {
    high = (high << 32n) | BigInt((groups[index] ?? 0) * 65536 + (groups[index + 1] ?? 0));
  }
  return high;
}
