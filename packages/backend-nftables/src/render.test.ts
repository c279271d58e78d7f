import { type FamilyPolicy, families } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { policy } from "../test/policy.ts";
import { renderEdits, renderFresh, renderRange, renderWhole, transactionEnd } from "./render.ts";
import { rulesetOf } from "./ruleset.ts";

const able = { variant: "", toolVersion: "1.1.3", randomFully: true };
const golden = (name: string) => `../test/golden/${name}.nft`;
const ports = [
  { first: 20_000, last: 20_099 },
  { first: 30_000, last: 30_299 },
];

/** Cases that must be written alike share a golden file. */
const cases: readonly (readonly [string, FamilyPolicy, typeof able])[] = [
  ["IPv4.two-prefixes", policy("IPv4", ["10.0.0.0/8", "172.16.0.0/12"]), able],
  ["IPv4.two-prefixes", policy("IPv4", ["172.16.0.0/12", "10.128.0.0/9", "10.0.0.0/9", "10.1.0.0/16"]), able],
  ["IPv4.two-prefixes.not-random", policy("IPv4", ["10.0.0.0/8", "172.16.0.0/12"], { randomFully: false }), able],
  ["IPv4.two-prefixes.not-random", policy("IPv4", ["10.0.0.0/8", "172.16.0.0/12"]), { ...able, randomFully: false }],
  ["IPv4.nothing", policy("IPv4", []), able],
  ["IPv4.everything", policy("IPv4", ["0.0.0.0/0", "10.0.0.0/8"]), able],
  [
    "IPv4.twelve-prefixes",
    policy(
      "IPv4",
      Array.from({ length: 12 }, (_, index) => `10.${index * 2}.0.0/16`),
    ),
    able,
  ],
  ["IPv4.one-prefix.two-port-ranges", policy("IPv4", ["10.0.0.0/8"], { ports }), able],
  ["IPv4.one-prefix.one-port", policy("IPv4", ["10.0.0.0/8"], { ports: [{ first: 80, last: 80 }] }), able],
  ["IPv6.two-prefixes", policy("IPv6", ["fd00::/8", "2001:db8::1"]), able],
  ["IPv6.one-prefix.two-port-ranges", policy("IPv6", ["fd00::/8"], { ports }), able],
];

test.each(cases)("%s", async (name, desired, can) => {
  await expect(renderWhole(rulesetOf(desired, can))).toMatchFileSnapshot(golden(name));
});

test.each(families)("%s, fresh: the set, an empty line, the chain", async (family) => {
  const text = renderFresh(rulesetOf(policy(family, family === "IPv4" ? ["10.0.0.0/8"] : ["fd00::/8"]), able));
  expect(text.split(transactionEnd).length).toBe(2);
  await expect(text).toMatchFileSnapshot(golden(`fresh.${family}.one-prefix`));
});

describe("edits", () => {
  const { prefixes } = policy("IPv4", ["10.0.0.0/9", "1.2.3.4"]).exempt;
  const range = { first: 0x0a000000n, last: 0x0affffffn };

  test("elements go before others come: a new one may overlap an old one", async () => {
    const edits = { elements: { kind: "difference", remove: [range], add: prefixes } } as const;
    await expect(renderEdits("IPv4", edits)).toMatchFileSnapshot(golden("edits.IPv4.elements"));
  });

  test("a refill and new rules", async () => {
    const { rules } = rulesetOf(policy("IPv4", []), able);
    const edits = { elements: { kind: "refill", all: prefixes }, rules } as const;
    await expect(renderEdits("IPv4", edits)).toMatchFileSnapshot(golden("edits.IPv4.refill.rules"));
  });

  test("a refill with nothing", async () => {
    const edits = { elements: { kind: "refill", all: [] } } as const;
    await expect(renderEdits("IPv6", edits)).toMatchFileSnapshot(golden("edits.IPv6.refill.nothing"));
  });
});

test.each([
  ["IPv4", 0n, 0xffffffffn, "0.0.0.0/0"],
  ["IPv4", 0n, 0xfffffffen, "0.0.0.0-255.255.255.254"],
  ["IPv4", 0x0a000000n, 0x0affffffn, "10.0.0.0/8"],
  ["IPv4", 0x0a000001n, 0x0a000002n, "10.0.0.1-10.0.0.2"],
  ["IPv4", 0xffffffffn, 0xffffffffn, "255.255.255.255/32"],
  ["IPv6", 0n, (1n << 128n) - 1n, "::/0"],
  ["IPv6", 5n, 9n, "::5-::9"],
] as const)("the range of %s addresses %d to %d is %s", (family, first, last, text) => {
  expect(renderRange(family, { first, last })).toBe(text);
});

test("100,000 prefixes take well under a second", () => {
  for (const family of families) {
    const text = (index: number) =>
      family === "IPv4"
        ? `${20 + (index >> 15)}.${(index >> 7) & 255}.${(index & 127) * 2}.0/24`
        : `2001:db8:${(index >> 8).toString(16)}:${((index & 255) * 2).toString(16)}::/64`;
    const ruleset = rulesetOf(
      policy(
        family,
        Array.from({ length: 100_000 }, (_, index) => text(index)),
      ),
      able,
    );
    const started = performance.now();
    expect(renderWhole(ruleset).split("/").length).toBe(100_001);
    expect(performance.now() - started).toBeLessThan(2_000);
  }
});
