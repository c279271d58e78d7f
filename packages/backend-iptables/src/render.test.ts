import type { FamilyPolicy } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { policy } from "../test/policy.ts";
import { observationOf } from "./observe.ts";
import { parseRule } from "./parse.ts";
import { planChange } from "./plan.ts";
import { renderRestore, renderRule } from "./render.ts";
import type { IptablesRule } from "./rule.ts";
import { rulesetOf } from "./ruleset.ts";

const able = { variant: "nft", toolVersion: "1.8.9", randomFully: true };
const golden = (name: string) => `../test/golden/${name}.restore`;
const ports = [
  { first: 20_000, last: 20_099 },
  { first: 30_000, last: 30_299 },
];
const two = ["10.0.0.0/8", "172.16.0.0/12"];
const row = (count: number) => Array.from({ length: count }, (_, index) => `20.${index}.0.0/17`);

/** What a fresh node is given. Cases that must be written alike share a golden file. */
const cases: readonly (readonly [string, FamilyPolicy, typeof able])[] = [
  ["IPv4.two-prefixes", policy("IPv4", two), able],
  ["IPv4.two-prefixes", policy("IPv4", ["172.16.0.0/12", "10.128.0.0/9", "10.0.0.0/9", "10.1.0.0/16"]), able],
  ["IPv4.two-prefixes.not-random", policy("IPv4", two, { randomFully: false }), able],
  ["IPv4.two-prefixes.not-random", policy("IPv4", two), { ...able, randomFully: false }],
  ["IPv4.nothing", policy("IPv4", []), able],
  ["IPv4.everything", policy("IPv4", ["0.0.0.0/0", "10.0.0.0/8"]), able],
  ["IPv4.one-prefix.two-port-ranges", policy("IPv4", ["10.0.0.0/8"], { ports }), able],
  ["IPv4.one-prefix.one-port", policy("IPv4", ["10.0.0.0/8"], { ports: [{ first: 80, last: 80 }] }), able],
  ["IPv6.two-prefixes", policy("IPv6", ["fd00::/8", "2001:db8::1"]), able],
  ["IPv4.tree", policy("IPv4", row(65)), able],
  [
    "IPv6.tree",
    policy(
      "IPv6",
      Array.from({ length: 65 }, (_, index) => `2001:db8:${index * 3}::/48`),
      { ports },
    ),
    able,
  ],
];

test.each(cases)("%s", async (name, desired, can) => {
  const fresh = observationOf(desired.family, "IP-MASQ-AGENT", "*nat\nCOMMIT\n");
  if (fresh === undefined) throw new Error("an empty table cannot be read");
  const { transaction } = planChange(rulesetOf(desired, "IP-MASQ-AGENT", can), fresh);
  await expect(transaction).toMatchFileSnapshot(golden(name));
});

test("a rewrite, a removal and a jump stand in this order", async () => {
  const change = {
    chains: [
      { name: "A", rules: ["-d 10.0.0.0/8 -j RETURN", "-j MASQUERADE"] },
      { name: "PINNED", rules: [] },
    ],
    drop: ["OLD"],
    remove: ['POSTROUTING -m comment --comment "it\\\'s old" -j OLD'],
    append: ["POSTROUTING -j A"],
  };
  await expect(renderRestore(change)).toMatchFileSnapshot(golden("change"));
});

describe("a rule read back is the rule that was written", () => {
  const prefix = { family: "IPv4", first: 0x0a000000n, length: 8 } as const;
  const rules: readonly (readonly [string, IptablesRule])[] = [
    ["-d 10.0.0.0/8 -j RETURN", { destination: prefix, action: { kind: "return" } }],
    ["-j RETURN", { action: { kind: "return" } }],
    ["-d 10.0.0.0/8 -g X", { destination: prefix, action: { kind: "goto", chain: "X" } }],
    [
      '-m addrtype ! --dst-type LOCAL -m comment --comment "a \\"b\\" \\\\ c" -j X',
      { notLocal: true, comment: 'a "b" \\ c', action: { kind: "jump", chain: "X" } },
    ],
    [
      "-p tcp -m statistic --mode random --probability 0.33333333349 -j MASQUERADE --to-ports 1-2 --random-fully",
      {
        protocol: "tcp",
        draws: Math.round(2 ** 31 / 3),
        action: { kind: "masquerade", randomFully: true, ports: { first: 1, last: 2 } },
      },
    ],
    [
      "-p sctp -j MASQUERADE --to-ports 80",
      { protocol: "sctp", action: { kind: "masquerade", randomFully: false, ports: { first: 80, last: 80 } } },
    ],
  ];
  test.each(rules)("%s", (text, rule) => {
    expect(renderRule(rule)).toBe(text);
    expect(parseRule("IPv4", text)).toEqual(rule);
  });
});

test("every share of ports is printed so that it reads back as the same number of draws", () => {
  for (const draws of [1, 2, 3, 0x5555_5555, 2 ** 30, 2 ** 31 - 2, 2 ** 31 - 1]) {
    const rule = { draws, action: { kind: "masquerade", randomFully: false } } as const;
    expect(parseRule("IPv4", renderRule(rule))?.draws).toBe(draws);
  }
});
