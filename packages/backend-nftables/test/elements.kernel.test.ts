import { addressBits, type Family, type FamilyPolicy, families, prefixSet } from "@ip-masq-agent/core";
import { createLab, type Lab, toolchains } from "@ip-masq-agent/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createNftablesBackend } from "../src/index.ts";
import { policy } from "./policy.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const signal = AbortSignal.timeout(600_000);

describe.each(toolchains())("$name", ({ prefix }) => {
  const nft = (input: string) => lab.run([...prefix, "nft", "-f", "-"], input);
  // nft reads every set on the node to change one element: a large one left behind would slow the next test.
  afterEach(() => nft("flush ruleset\n"));

  describe.each(families)("%s", (family) => {
    const table = `${family === "IPv4" ? "ip" : "ip6"} ip-masq-agent`;

    /** Writes the policy, and sees that the next look finds nothing to do. The plan, and milliseconds of both. */
    async function write(desired: FamilyPolicy) {
      const backend = createNftablesBackend({ launcher: [...lab.launcher, ...prefix], timeoutMs: 20_000 });
      const ruleset = backend.render(desired, { variant: "", toolVersion: "", randomFully: true, protects: false });
      const plan = backend.plan(ruleset, await backend.observe(family, signal));
      const started = performance.now();
      if (plan.transaction !== "") await backend.apply(plan, signal);
      const written = performance.now();
      const seen = await backend.observe(family, signal);
      const read = performance.now();
      expect(backend.plan(ruleset, seen)).toMatchObject({ transaction: "", differences: [] });
      expect(seen.policy).toEqual(desired);
      return { plan, writeMs: written - started, readMs: read - written };
    }

    test.each([
      ["all at once", 0, /^flush set/],
      ["element by element", 1_200, /^(?:delete|add) element/],
    ])("any set of prefixes follows any other, %s", async (_, others, form) => {
      const random = generator(7);
      await write(randomPolicy(family, random, others));
      for (let round = 0; round < 40; round++) {
        const { plan } = await write(randomPolicy(family, random, others));
        if (plan.transaction !== "") expect(plan.transaction).toMatch(form);
      }
    });

    test("ranges that others put in, across prefixes and to the end of the address space, go again", async () => {
      const desired = policy(family, family === "IPv4" ? ["10.0.0.0/8"] : ["fd00::/8"]);
      await write(desired);
      const [low, high] =
        family === "IPv4"
          ? ["9.0.0.5-9.0.0.9", "250.0.0.3-255.255.255.255"]
          : ["fc00::5-fc00::9", "ff00::3-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"];
      expect(await nft(`add element ${table} exempt { ${low}, ${high} }\n`)).toMatchObject({ exitCode: 0 });
      const { plan } = await write(desired);
      expect(plan.differences.map(({ kind, found }) => [kind, found])).toEqual([
        ["extra", low],
        ["extra", high],
      ]);
    });

    test("an element with a comment or a timeout of others is replaced", async () => {
      const desired = policy(family, family === "IPv4" ? ["10.0.0.0/8"] : ["fd00::/8"]);
      await write(desired);
      const other = family === "IPv4" ? "11.0.0.0/8" : "fc00::/8";
      expect(await nft(`add element ${table} exempt { ${other} comment "mine" }\n`)).toMatchObject({ exitCode: 0 });
      const { plan } = await write(desired);
      expect(plan.transaction).toMatch(/^flush set/);
    });

    test("counters live through a change of elements", async () => {
      const text = family === "IPv4" ? ["10.0.0.0/8", "8.0.0.0/8"] : ["fd00::/8", "2606::/16"];
      await write(policy(family, text));
      await lab.send([{ family, destination: family === "IPv4" ? "8.8.4.4" : "2606:4700::1111" }]);
      const backend = createNftablesBackend({ launcher: [...lab.launcher, ...prefix] });
      const { counters } = await backend.observe(family, signal);
      expect(counters.exemptPackets).toBeGreaterThan(0);
      await write(policy(family, text.slice(1)));
      expect((await backend.observe(family, signal)).counters).toEqual(counters);
    });

    // nft alone takes seconds for each step of the larger size: one family will do.
    const sizes = family === "IPv4" ? [10_000, 100_000] : [10_000];
    test.each(sizes)("%d prefixes are written, changed, read and compared in time", async (size) => {
      const text = (index: number) =>
        family === "IPv4"
          ? `${20 + (index >> 15)}.${(index >> 7) & 255}.${(index & 127) * 2}.0/24`
          : `2001:db8:${(index >> 8).toString(16)}:${((index & 255) * 2).toString(16)}::/64`;
      const all = Array.from({ length: size }, (_, index) => text(index));
      const first = await write(policy(family, all));
      const one = await write(policy(family, all.slice(1)));
      expect(one.plan.transaction.split("\n").length).toBe(2);
      const others = await write(policy(family, all.slice(0, size - 100)));
      const milliseconds = [first.writeMs, first.readMs, one.writeMs, others.writeMs].map(Math.round);
      process.stdout.write(`${size} ${family}: write, read, one less, refill: ${milliseconds.join(", ")} ms\n`);
      // Ten times what two cores took: a quadratic step in our own code shows, a slow machine does not.
      expect(Math.max(...milliseconds)).toBeLessThan(size === 10_000 ? 5_000 : 20_000);
    });
  });
});

/**
 * In the upper half of the address space wide prefixes that touch and swallow each other, single addresses, and the
 * last of all; in the lower half as many others as told, always the same.
 */
function randomPolicy(family: Family, random: () => number, others: number): FamilyPolicy {
  const bits = addressBits(family);
  const half = 1n << BigInt(bits - 1);
  const prefixes = Array.from({ length: Math.floor(random() * 12) }, () => {
    const length = random() < 0.3 ? bits : 2 + Math.floor(random() * 6);
    const top = Math.min(length, 7);
    const network = (BigInt(Math.floor(random() * 2 ** top)) << BigInt(bits - top)) | half;
    const host = length === bits && random() < 0.5 ? (1n << BigInt(bits - top)) - 1n : 0n;
    return { family, first: network | host, length };
  });
  const fixed = Array.from({ length: others }, (_, index) => ({ family, first: BigInt(index * 2), length: bits }));
  return { ...policy(family, []), exempt: prefixSet(family, [...prefixes, ...fixed]) };
}

/** Numbers in [0, 1) that are the same in every run: a linear congruential generator (Numerical Recipes' constants). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
