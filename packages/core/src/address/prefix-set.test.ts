import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressBits, type Family, lastAddress } from "./family.ts";
import type { Prefix } from "./prefix.ts";
import { networkOf, parsePrefix } from "./prefix.ts";
import {
  contains,
  emptySet,
  formatSet,
  intersect,
  isEverything,
  type PrefixSet,
  prefixSet,
  rangesOf,
  sameSet,
  setOfRanges,
  subtract,
  union,
} from "./prefix-set.ts";

/**
 * The brute-force model: a family cut down to its 64 highest addresses, a set as 64 booleans. Whatever holds there
 * for every bit pattern holds for the code, which knows no such bound; the top of the space has the tricky ends.
 */
const modelSize = 64;
const windowBits = 6;

function window(family: Family): bigint {
  return lastAddress(family) - BigInt(modelSize - 1);
}

const family = fc.constantFrom<Family>("IPv4", "IPv6");

function prefixesIn(name: Family): fc.Arbitrary<readonly Prefix[]> {
  const bits = addressBits(name);
  const one = fc
    .tuple(fc.nat(modelSize - 1), fc.integer({ min: bits - windowBits, max: bits }))
    .map(([offset, length]) => ({
      family: name,
      first: networkOf(window(name) + BigInt(offset), length, bits),
      length,
    }));
  return fc.array(one, { maxLength: 24 });
}

function model(prefixes: readonly Prefix[], name: Family): readonly boolean[] {
  return Array.from({ length: modelSize }, (_, offset) => {
    const address = window(name) + BigInt(offset);
    return prefixes.some((prefix) => networkOf(address, prefix.length, addressBits(name)) === prefix.first);
  });
}

function membership(set: PrefixSet): readonly boolean[] {
  return Array.from({ length: modelSize }, (_, offset) => contains(set, window(set.family) + BigInt(offset)));
}

const two = family.chain((name) => fc.tuple(fc.constant(name), prefixesIn(name), prefixesIn(name)));

describe("prefix sets against a brute-force model", () => {
  test("membership, union, difference and intersection", () => {
    fc.assert(
      fc.property(two, ([name, a, b]) => {
        const [setA, setB] = [prefixSet(name, a), prefixSet(name, b)];
        const [inA, inB] = [model(a, name), model(b, name)];
        expect(membership(setA)).toEqual(inA);
        expect(membership(union(setA, setB))).toEqual(inA.map((yes, at) => yes || inB[at]));
        expect(membership(subtract(setA, setB))).toEqual(inA.map((yes, at) => yes && !inB[at]));
        expect(membership(intersect(setA, setB))).toEqual(inA.map((yes, at) => yes && inB[at]));
      }),
    );
  });

  test("the same addresses give the same list, however they were written", () => {
    fc.assert(
      fc.property(two, ([name, a, b]) => {
        const [setA, setB] = [prefixSet(name, a), prefixSet(name, b)];
        const alike = model(a, name).join() === model(b, name).join();
        expect(sameSet(setA, setB)).toBe(alike);
        expect(prefixSet(name, setA.prefixes)).toEqual(setA);
        expect(setOfRanges(name, rangesOf(setA))).toEqual(setA);
      }),
    );
  });
});

function set(...texts: readonly string[]): PrefixSet {
  const prefixes = texts.map((text) => parsePrefix(text) as Prefix);
  return prefixSet(prefixes[0]?.family ?? "IPv4", prefixes);
}

describe("prefix sets at the edges", () => {
  test("neighbours that make up one prefix become it, all the way up", () => {
    expect(formatSet(set("10.0.0.0/8", "11.0.0.0/8"))).toEqual(["10.0.0.0/7"]);
    expect(formatSet(set("11.0.0.0/8", "12.0.0.0/8"))).toEqual(["11.0.0.0/8", "12.0.0.0/8"]);
    expect(isEverything(set("0.0.0.0/1", "128.0.0.0/1"))).toBe(true);
    expect(isEverything(set("::/1", "8000::/1"))).toBe(true);
  });

  test("the whole space less one address, and back", () => {
    for (const [all, one, count] of [
      ["0.0.0.0/0", "255.255.255.255/32", 32],
      ["::/0", "::/128", 128],
    ] as const) {
      const left = subtract(set(all), set(one));
      expect(left.prefixes).toHaveLength(count);
      expect(formatSet(union(left, set(one)))).toEqual([all]);
    }
  });

  test("empty sets", () => {
    const none = emptySet("IPv4");
    expect(union(none, none)).toEqual(none);
    expect(subtract(none, set("0.0.0.0/0"))).toEqual(none);
    expect(contains(none, 0n)).toBe(false);
  });
});
