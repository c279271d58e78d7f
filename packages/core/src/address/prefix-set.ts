import { addressBits, type Family, hostMask, lastAddress } from "./family.ts";
import { formatPrefix, lastOf, type Prefix } from "./prefix.ts";

/**
 * A set of addresses of one family, as the one list of prefixes that stands for it: sorted, disjoint, and as short as
 * can be (10.0.0.0/9 and 10.128.0.0/9 are 10.0.0.0/8). Two sets are equal exactly if their lists are.
 * Made by `prefixSet` and the operations here, never by hand.
 */
export interface PrefixSet {
  readonly family: Family;
  readonly prefixes: readonly Prefix[];
}

/** A closed range of addresses. */
export interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** The canonical set of prefixes in any order, overlapping or not. O(n log n): 100,000 in about a tenth of a second. */
export function prefixSet(family: Family, prefixes: Iterable<Prefix>): PrefixSet {
  const sorted = Array.from(prefixes).sort(byAddressThenSize);
  const merged: Prefix[] = [];
  let end = -1n;
  for (const prefix of sorted) {
    // Prefixes never overlap in part: one that starts inside the previous one lies inside it.
    if (prefix.first <= end) continue;
    end = lastOf(prefix);
    pushMerging(merged, prefix);
  }
  return { family, prefixes: merged };
}

/** The canonical set of closed ranges in any order. */
export function setOfRanges(family: Family, ranges: readonly AddressRange[]): PrefixSet {
  const prefixes: Prefix[] = [];
  for (const range of mergeRanges(ranges)) appendPrefixes(family, range, prefixes);
  return { family, prefixes };
}

export function emptySet(family: Family): PrefixSet {
  return { family, prefixes: [] };
}

/** The set as sorted, disjoint ranges that do not touch: the shortest form for arithmetic. */
export function rangesOf(set: PrefixSet): readonly AddressRange[] {
  return mergeRanges(set.prefixes.map(rangeOf));
}

export function union(a: PrefixSet, b: PrefixSet): PrefixSet {
  return prefixSet(a.family, [...a.prefixes, ...b.prefixes]);
}

/** The addresses of `a` that are not in `b`. */
export function subtract(a: PrefixSet, b: PrefixSet): PrefixSet {
  const left: AddressRange[] = [];
  const holes = rangesOf(b);
  let next = 0;
  for (const { first, last } of rangesOf(a)) {
    let from = first;
    while (next < holes.length && (holes[next] as AddressRange).last < from) next++;
    for (let index = next; index < holes.length; index++) {
      const hole = holes[index] as AddressRange;
      if (hole.first > last) break;
      if (hole.first > from) left.push({ first: from, last: hole.first - 1n });
      from = hole.last + 1n;
    }
    if (from <= last) left.push({ first: from, last });
  }
  return setOfRanges(a.family, left);
}

export function intersect(a: PrefixSet, b: PrefixSet): PrefixSet {
  return subtract(a, subtract(a, b));
}

/** The prefix of the set that holds an address; binary search. */
export function findPrefix(set: PrefixSet, address: bigint): Prefix | undefined {
  let low = 0;
  let high = set.prefixes.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const prefix = set.prefixes[middle] as Prefix;
    if (address < prefix.first) high = middle - 1;
    else if (address > lastOf(prefix)) low = middle + 1;
    else return prefix;
  }
  return undefined;
}

export function contains(set: PrefixSet, address: bigint): boolean {
  return findPrefix(set, address) !== undefined;
}

export function sameSet(a: PrefixSet, b: PrefixSet): boolean {
  if (a.family !== b.family || a.prefixes.length !== b.prefixes.length) return false;
  return a.prefixes.every((prefix, index) => {
    const other = b.prefixes[index];
    return other !== undefined && other.first === prefix.first && other.length === prefix.length;
  });
}

/** Whether the set is the whole address space of its family. */
export function isEverything(set: PrefixSet): boolean {
  return set.prefixes.length === 1 && set.prefixes[0]?.length === 0;
}

/** The set's prefixes as text, in order. */
export function formatSet(set: PrefixSet): readonly string[] {
  return set.prefixes.map(formatPrefix);
}

function byAddressThenSize(a: Prefix, b: Prefix): number {
  return a.first < b.first ? -1 : a.first > b.first ? 1 : a.length - b.length;
}

/** Appends a prefix that comes after all others; as long as the last two are the halves of one, they become it. */
function pushMerging(prefixes: Prefix[], prefix: Prefix): void {
  let half = prefix;
  for (;;) {
    const before = prefixes.at(-1);
    if (before === undefined || before.length !== half.length || half.length === 0) break;
    // Under one bit less, both begin at the same address: they are its halves.
    const whole: Prefix = { family: half.family, first: before.first, length: half.length - 1 };
    if (lastOf(whole) !== lastOf(half) || (before.first & hostMask(half.family, whole.length)) !== 0n) break;
    prefixes.pop();
    half = whole;
  }
  prefixes.push(half);
}

function rangeOf(prefix: Prefix): AddressRange {
  return { first: prefix.first, last: lastOf(prefix) };
}

function mergeRanges(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const sorted = ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const merged: { first: bigint; last: bigint }[] = [];
  let current: { first: bigint; last: bigint } | undefined;
  for (const { first, last } of sorted) {
    if (current !== undefined && first <= current.last + 1n) {
      if (last > current.last) current.last = last;
    } else {
      current = { first, last };
      merged.push(current);
    }
  }
  return merged;
}

/** The fewest prefixes that make up a range: at each step the largest aligned block that still fits. */
function appendPrefixes(family: Family, range: AddressRange, into: Prefix[]): void {
  const bits = addressBits(family);
  let first = range.first;
  while (first <= range.last) {
    let length = bits;
    let size = 1n;
    while (length > 0) {
      const doubled = size * 2n;
      if ((first & (doubled - 1n)) !== 0n || first + doubled - 1n > range.last) break;
      size = doubled;
      length--;
    }
    into.push({ family, first, length });
    if (range.last === lastAddress(family) && first + size > range.last) return;
    first += size;
  }
}
