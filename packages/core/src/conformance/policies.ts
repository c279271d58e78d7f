import { addressBits, type Family } from "../address/family.ts";
import { readAddress, readPrefix } from "../address/kernel-text.ts";
import type { Prefix } from "../address/prefix.ts";
import { prefixSet } from "../address/prefix-set.ts";
import type { FamilyPolicy, Masquerade, PortRange } from "../policy/policy.ts";

/** A policy and what is special about it. */
export interface NamedPolicy {
  readonly name: string;
  readonly policy: FamilyPolicy;
}

/** Three ranges that mean alike in both families, narrow inside wide inside wider, and one far from them. */
const samples: Readonly<Record<Family, Readonly<Record<"wider" | "wide" | "narrow" | "far", string>>>> = {
  IPv4: { wider: "10.0.0.0/8", wide: "10.1.0.0/16", narrow: "10.1.2.0/24", far: "172.16.0.0/12" },
  IPv6: { wider: "fd00::/8", wide: "fd01:1::/32", narrow: "fd01:1:2::/48", far: "2001:db8:8000::/33" },
};

/** An address in `narrow`, and one that no sample policy but that of the whole address space exempts. */
export const insideAddress: Readonly<Record<Family, string>> = { IPv4: "10.1.2.3", IPv6: "fd01:1:2::3" };
export const outsideAddress: Readonly<Record<Family, string>> = { IPv4: "8.8.4.4", IPv6: "2606:4700::1111" };

export function policyOf(
  family: Family,
  exempt: readonly Prefix[],
  translation: Partial<Pick<Masquerade, "randomFully" | "ports">> = {},
): FamilyPolicy {
  const whole: Masquerade = { kind: "masquerade", randomFully: true, ports: [], ...translation };
  return { family, exempt: prefixSet(family, exempt), translation: whole };
}

/** Every form that a policy can take. Few are harmless: each stands for something that a backend may get wrong. */
export function samplePolicies(family: Family): readonly NamedPolicy[] {
  const { wide, far } = samples[family];
  const few = [prefix(family, wide), prefix(family, far)];
  const ports = (...ranges: readonly (readonly [number, number])[]): readonly PortRange[] =>
    ranges.map(([first, last]) => ({ first, last }));
  return [
    { name: "nothing exempt", policy: policyOf(family, []) },
    { name: "everything exempt", policy: policyOf(family, [{ family, first: 0n, length: 0 }]) },
    { name: "everything but one address exempt", policy: policyOf(family, allButOne(family)) },
    { name: "two prefixes", policy: policyOf(family, few) },
    { name: "single addresses and neighbours that touch", policy: policyOf(family, neighbours(family)) },
    { name: "64 prefixes", policy: policyOf(family, many(family, 64)) },
    { name: "1000 prefixes", policy: policyOf(family, many(family, 1_000)) },
    { name: "not fully random", policy: policyOf(family, few, { randomFully: false }) },
    { name: "one port range", policy: policyOf(family, few, { ports: ports([20_000, 29_999]) }) },
    { name: "a single port", policy: policyOf(family, few, { ports: ports([4_242, 4_242]) }) },
    {
      name: "several port ranges",
      policy: policyOf(family, few, { ports: ports([20_000, 20_099], [30_000, 30_299]) }),
    },
    {
      name: "port ranges that overlap",
      policy: policyOf(family, few, { ports: ports([42, 44], [42, 43], [42, 44]), randomFully: false }),
    },
  ];
}

/** What is in force before rules are tampered with. */
export function tamperedPolicy(family: Family): FamilyPolicy {
  const { wide, far } = samples[family];
  return policyOf(family, [prefix(family, wide), prefix(family, far)]);
}

/**
 * Policies in an order in which each switch is hard: `insideAddress` is exempt in all of them, through a prefix that
 * each time is another one overlapping the last; `outsideAddress` in none.
 */
export function switchedPolicies(family: Family): readonly FamilyPolicy[] {
  const { wider, wide, narrow, far } = samples[family];
  return [
    policyOf(family, [prefix(family, wider)]),
    policyOf(family, [prefix(family, narrow), prefix(family, far)]),
    policyOf(family, [prefix(family, wide), ...many(family, 1_000)]),
    policyOf(family, [prefix(family, wider), ...many(family, 200)], { ports: [{ first: 20_000, last: 59_999 }] }),
    policyOf(family, [prefix(family, wide)], { randomFully: false }),
  ];
}

/** As many prefixes that never touch: every second one of a size. */
export function many(family: Family, count: number): readonly Prefix[] {
  const [from, length] = family === "IPv4" ? (["20.0.0.0", 24] as const) : (["2a00::", 48] as const);
  const start = readAddress(family, from) ?? 0n;
  const step = 2n << BigInt(addressBits(family) - length);
  return Array.from({ length: count }, (_, index) => ({ family, first: start + BigInt(index) * step, length }));
}

/** Everything but `outsideAddress`: a prefix of every length, up to both ends of the address space. */
function allButOne(family: Family): readonly Prefix[] {
  const bits = addressBits(family);
  const address = readAddress(family, outsideAddress[family]) ?? 0n;
  return Array.from({ length: bits }, (_, index) => {
    const size = BigInt(bits - index - 1);
    return { family, first: ((address >> size) ^ 1n) << size, length: index + 1 };
  });
}

/** A range of three addresses as its two prefixes, and a lone address: sets print the first as one range or as two. */
function neighbours(family: Family): readonly Prefix[] {
  const base = family === "IPv4" ? ["20.0.0.1", "20.0.0.2/31", "20.0.0.9"] : ["2a00::1", "2a00::2/127", "2a00::9"];
  return base.map((text) => prefix(family, text));
}

function prefix(family: Family, text: string): Prefix {
  const read = readPrefix(family, text);
  if (read === undefined) throw new Error(`${text} is not an ${family} prefix`);
  return read;
}
