import { countKinds, type DriftKind, type FamilyPolicy, formatPrefix } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { policy } from "../test/policy.ts";
import { observationOf } from "./observe.ts";
import type { NftElement, NftTable } from "./parse.ts";
import { planChange } from "./plan.ts";
import { type NftRule, rulesetOf } from "./ruleset.ts";

const able = { variant: "", toolVersion: "", randomFully: true };
const desired = policy("IPv4", ["10.0.0.0/8", "172.16.0.0/12"]);
/** In one transaction, and in two. */
const whole = /^add table[^{]*table ip ip-masq-agent \{\n {2}set [^}]*\}[^}]*\}\n {2}chain /;
const fresh =
  /^add table[^{]*table ip ip-masq-agent \{\n {2}set [^}]*\}[^}]*\}\n\}\n\ntable ip ip-masq-agent \{\n {2}chain /;
const foreign: NftRule = { kind: "foreign", expression: '[{"accept":null}]' };
const rules = rulesetOf(desired, able).rules;

/** The table that the kernel shows where the policy is in force, with some of it changed. */
function tableOf(written: FamilyPolicy, changes: Partial<NftTable> = {}): NftTable {
  const ruleset = rulesetOf(written, able);
  const elements = written.exempt.prefixes.map(({ first, length }) => ({
    first,
    last: first + (1n << BigInt(32 - length)) - 1n,
  }));
  return { flags: [], set: { otherShape: undefined, elements }, chain: chainOf(ruleset.rules), extra: [], ...changes };
}

function chainOf(of: readonly NftRule[], otherHook?: string, packets = 0): NonNullable<NftTable["chain"]> {
  return { otherHook, rules: of.map((rule) => ({ rule, packets, bytes: 60 * packets })) };
}

function setOf(elements: readonly NftElement[], otherShape?: string): NonNullable<NftTable["set"]> {
  return { otherShape, elements };
}

function planned(table: NftTable | undefined, wanted = desired) {
  const plan = planChange(rulesetOf(wanted, able), observationOf("IPv4", table));
  return { ...plan, kinds: Object.fromEntries(countKinds(plan.differences)) };
}

const elements = tableOf(desired).set?.elements ?? [];
const [ten, another] = elements as [NftElement, NftElement];
const eleven = { first: 0x0b000000n, last: 0x0bffffffn };

const cases: readonly (readonly [string, NftTable | undefined, Partial<Record<DriftKind, number>>, RegExp])[] = [
  ["nothing", tableOf(desired), {}, /^$/],
  ["counters", tableOf(desired, { chain: chainOf(rules, undefined, 7) }), {}, /^$/],
  ["elements in another order", tableOf(desired, { set: setOf([another, ten]) }), {}, /^$/],
  ["owned by a process", tableOf(desired, { flags: ["owner", "persist"] }), {}, /^$/],
  ["table gone", undefined, { table: 1 }, fresh],
  ["table dormant", tableOf(desired, { flags: ["dormant"] }), { table: 1 }, fresh],
  [
    "table dormant, and all else unreadable",
    { flags: ["ip"], set: undefined, chain: undefined, extra: [] },
    { table: 1 },
    fresh,
  ],
  ["table empty", tableOf(desired, { set: undefined, chain: undefined }), { missing: 4, jump: 1 }, fresh],
  ["chain gone", tableOf(desired, { chain: undefined }), { jump: 1, missing: 3 }, fresh],
  ["another hook", tableOf(desired, { chain: chainOf(rules, "type nat hook input") }), { jump: 1 }, whole],
  ["set gone", tableOf(desired, { set: undefined }), { missing: 1 }, whole],
  ["set of another shape", tableOf(desired, { set: setOf([ten], "type ifname") }), { modified: 1 }, whole],
  ["extra chain and map", tableOf(desired, { extra: ["chain x", "map y"] }), { extra: 2 }, whole],
  ["no rules", tableOf(desired, { chain: chainOf([]) }), { missing: 3 }, /^flush chain/],
  ["first rule gone", tableOf(desired, { chain: chainOf(rules.slice(1)) }), { missing: 1 }, /^flush chain/],
  ["foreign rule first", tableOf(desired, { chain: chainOf([foreign, ...rules]) }), { extra: 1 }, /^flush chain/],
  ["foreign rule last", tableOf(desired, { chain: chainOf([...rules, foreign]) }), { extra: 1 }, /^flush chain/],
  [
    "foreign rule for one of ours",
    tableOf(desired, { chain: chainOf([foreign, ...rules.slice(1)]) }),
    { modified: 1 },
    /^flush chain/,
  ],
  [
    "a rule twice",
    tableOf(desired, { chain: chainOf([...rules.slice(0, 1), ...rules]) }),
    { extra: 1 },
    /^flush chain/,
  ],
  ["other order", tableOf(desired, { chain: chainOf(rules.toReversed()) }), { order: 1 }, /^flush chain/],
  ["no elements", tableOf(desired, { set: setOf([]) }), { missing: 2 }, /^flush set/],
  ["element gone", tableOf(desired, { set: setOf([ten]) }), { missing: 1 }, /^flush set/],
  ["element extra", tableOf(desired, { set: setOf([eleven, ...elements]) }), { extra: 1 }, /^flush set/],
  [
    "two ranges as one",
    tableOf(desired, { set: setOf([{ first: 0x0a000000n, last: 0x0bffffffn }, another]) }),
    { missing: 1, extra: 1 },
    /^flush set/,
  ],
  [
    "element with a comment",
    tableOf(desired, { set: setOf([...elements, { foreign: "{}" }]) }),
    { extra: 1 },
    /^flush set/,
  ],
];

test.each(cases)("%s", (_, table, kinds, transaction) => {
  const plan = planned(table);
  expect(plan.kinds).toEqual(kinds);
  expect(plan.transaction).toMatch(transaction);
  expect(plan.summary === "").toBe(plan.transaction === "");
});

describe("the transaction leaves alone what is right", () => {
  const many = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => `20.${(from + index) >> 7}.${((from + index) & 127) * 2}.0/24`);

  test("a narrower range for a wider one in a large set: the old element goes first", () => {
    const plan = planned(
      tableOf(policy("IPv4", ["10.0.0.0/7", ...many(1_000)])),
      policy("IPv4", ["10.0.0.0/8", ...many(1_000)]),
    );
    expect(plan.transaction).toBe(
      "delete element ip ip-masq-agent exempt { 10.0.0.0/7 }\nadd element ip ip-masq-agent exempt { 10.0.0.0/8 }\n",
    );
    expect(plan.summary).toBe("adds 1, removes 1 elements of set exempt in table ip ip-masq-agent");
  });

  test("a translation changes the rules, and no element", () => {
    const { transaction } = planned(tableOf(desired), {
      ...desired,
      translation: { ...desired.translation, randomFully: false },
    });
    expect(transaction).toMatch(/^flush chain .*\n(?:add rule .*\n){3}$/);
    expect(transaction).toContain("counter masquerade\n");
  });

  test("what nft told of a foreign rule is never given back to it", () => {
    expect(planned(tableOf(desired, { chain: chainOf([foreign, ...rules]) })).transaction).not.toContain("accept");
  });

  test.each([
    ["a small set", 999, 1, "flush set"],
    ["a few in a large one", 1_000, 64, "add element"],
    ["many in a large one", 1_000, 65, "flush set"],
  ])("%s: %d elements and %d more", (_, before, more, statement) => {
    const wanted = policy("IPv4", many(before + more));
    const { transaction, kinds } = planned(tableOf(policy("IPv4", many(before))), wanted);
    expect(kinds).toEqual({ missing: more });
    expect(transaction.startsWith(statement)).toBe(true);
    const written = statement === "flush set" ? wanted.exempt.prefixes : wanted.exempt.prefixes.slice(-more);
    expect(transaction.match(/[\d.]+\/\d+/g)).toEqual(written.map(formatPrefix));
  });
});
