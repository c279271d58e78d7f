import {
  addressBits,
  contains,
  type Family,
  families,
  lastAddress,
  lastOf,
  networkOf,
  type Prefix,
  type PrefixSet,
  prefixSet,
} from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { isTreeChain, longestChainName } from "./names.ts";
import type { IptablesChain, IptablesRule } from "./rule.ts";
import { exemptChains, flatLimit } from "./tree.ts";

const main = "IP-MASQ-AGENT";
const translation: readonly IptablesRule[] = [{ action: { kind: "masquerade", randomFully: true } }];

/** xorshift32: the same sets at every run. */
function generator(seed: number): (below: bigint) => bigint {
  let state = seed;
  const word = (): bigint => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return BigInt(state >>> 0);
  };
  return (below) => ((((word() << 32n) | word()) << 64n) | (word() << 32n) | word()) % below;
}

/** Prefixes of all lengths, crowded into a few places so that there are deep branches. */
function randomSet(family: Family, count: number, random: (below: bigint) => bigint): PrefixSet {
  const bits = addressBits(family);
  const places = Array.from({ length: 4 }, () => random(1n << BigInt(bits)));
  return prefixSet(
    family,
    Array.from({ length: count }, (): Prefix => {
      const length = 8 + Number(random(BigInt(bits - 7)));
      const near = (places[Number(random(4n))] ?? 0n) ^ random(1n << random(BigInt(bits)));
      return { family, first: networkOf(near, length, bits), length };
    }),
  );
}

/** Walks the chains as the kernel would; the steps count chains, as the kernel's limit does. */
function walk(
  chains: ReadonlyMap<string, IptablesChain>,
  address: bigint,
): { readonly verdict: string; steps: number } {
  let chain = chains.get(main);
  for (let steps = 1; chain !== undefined; steps++) {
    const rule: IptablesRule | undefined = chain.rules.find(
      ({ destination }) =>
        destination === undefined || (destination.first <= address && address <= lastOf(destination)),
    );
    if (rule === undefined) return { verdict: "fell off the chain", steps };
    if (rule.action.kind !== "goto") return { verdict: rule.action.kind, steps };
    chain = chains.get(rule.action.chain);
  }
  return { verdict: "no such chain", steps: 0 };
}

/** At both sides of every edge of the set, at the ends of the address space, and anywhere. */
function assertDecides(set: PrefixSet, random: (below: bigint) => bigint): void {
  const { family, prefixes } = set;
  const list = exemptChains(main, set, translation);
  const chains = new Map(list.map((chain) => [chain.name, chain]));
  expect(chains.size).toBe(list.length);
  const edges = prefixes.flatMap((prefix) => [
    ...[prefix.first - 1n, prefix.first, lastOf(prefix), lastOf(prefix) + 1n],
  ]);
  const anywhere = Array.from({ length: 500 }, () => random(1n << BigInt(addressBits(family))));
  for (const address of [...edges, ...anywhere, 0n, lastAddress(family)]) {
    if (address < 0n || address > lastAddress(family)) continue;
    const { verdict, steps } = walk(chains, address);
    expect(verdict).toBe(contains(set, address) ? "return" : "masquerade");
    // nf_tables allows a path of 16 chains, of which POSTROUTING is one.
    expect(steps).toBeLessThan(16);
  }
}

describe.each(families)("%s", (family) => {
  test.each([0, 1, 10, 64, 65, 100, 400, 2_000])("%d random prefixes decide like their set", (count) => {
    const random = generator(count + 7);
    assertDecides(randomSet(family, count, random), random);
  });

  test("everything but one address: a prefix of every length, and no path too long for the kernel", () => {
    const random = generator(1);
    const bits = addressBits(family);
    const address = random(1n << BigInt(bits));
    const prefixes = Array.from({ length: bits }, (_, index): Prefix => {
      const host = BigInt(bits - index - 1);
      return { family, first: ((address >> host) ^ 1n) << host, length: index + 1 };
    });
    assertDecides(prefixSet(family, prefixes), random);
  });

  test("chains are few rules long, and named as ours", () => {
    const list = exemptChains(main, randomSet(family, 3_000, generator(3)), translation);
    for (const { name, rules } of list.slice(1)) {
      expect(rules.length).toBeLessThanOrEqual(9);
      expect(name.length).toBeLessThanOrEqual(longestChainName);
      expect(isTreeChain(name)).toBe(true);
    }
  });

  test("one prefix more rewrites few chains", () => {
    const row = evenRow(family, 1_001);
    const before = textOf(exemptChains(main, prefixSet(family, row.slice(1)), translation));
    const after = textOf(exemptChains(main, prefixSet(family, row), translation));
    const rewritten = [...after].filter(([name, text]) => before.get(name) !== text);
    expect(rewritten.length).toBeLessThanOrEqual(6);
  });

  test("the flat layout ends at its limit", () => {
    const chainsOf = (count: number) => exemptChains(main, prefixSet(family, evenRow(family, count)), translation);
    expect(chainsOf(flatLimit)).toHaveLength(1);
    expect(chainsOf(flatLimit + 1).length).toBeGreaterThan(2);
  });
});

function evenRow(family: Family, count: number): readonly Prefix[] {
  const [length, start] = family === "IPv4" ? [24, 20n << 24n] : [48, 0x2a00n << 112n];
  const step = 2n << BigInt(addressBits(family) - length);
  return Array.from({ length: count }, (_, index) => ({ family, first: start + BigInt(index) * step, length }));
}

function textOf(chains: readonly IptablesChain[]): ReadonlyMap<string, string> {
  const text = (value: unknown) => JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}` : part));
  return new Map(chains.map(({ name, rules }) => [name, text(rules)]));
}

test.each([
  ["IPMASQ-TRANSLATE", true],
  ["IPMASQ-0a000000-8", true],
  ["IPMASQ-0123456789abcdef0123", true],
  ["IPMASQ-NODE", false],
  ["IPMASQ-", false],
  ["IP-MASQ-AGENT", false],
])("%s is a chain of the tree: %s", (name, expected) => {
  expect(isTreeChain(name)).toBe(expected);
});
