import { countKinds, type DriftKind, type FamilyPolicy } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { policy } from "../test/policy.ts";
import { type IptablesObservation, observationOf } from "./observe.ts";
import { planChange } from "./plan.ts";
import { renderRule } from "./render.ts";
import { rulesetOf } from "./ruleset.ts";

const able = { variant: "", toolVersion: "", randomFully: true };
const chain = "IP-MASQ-AGENT";
const desired = policy("IPv4", ["10.0.0.0/8", "172.16.0.0/12"]);
const treeSet = Array.from({ length: 100 }, (_, index) => `20.${index}.0.0/17`);

/** The lines that the kernel shows where the policy is in force: chains, the jump, then the rules of each chain. */
function linesOf(written: FamilyPolicy): readonly string[] {
  const { chains, jump } = rulesetOf(written, chain, able);
  return [
    ...chains.map(({ name }) => `:${name} - [0:0]`),
    `[0:0] -A POSTROUTING ${renderRule(jump)}`,
    ...chains.flatMap(({ name, rules }) => rules.map((rule) => `[0:0] -A ${name} ${renderRule(rule)}`)),
  ];
}

function seenOf(lines: readonly string[]): IptablesObservation {
  const seen = observationOf("IPv4", chain, ["*nat", ":POSTROUTING ACCEPT [0:0]", ...lines, "COMMIT", ""].join("\n"));
  if (seen === undefined) throw new Error("the table cannot be read");
  return seen;
}

function planned(lines: readonly string[], wanted = desired) {
  const plan = planChange(rulesetOf(wanted, chain, able), seenOf(lines));
  return { ...plan, kinds: Object.fromEntries(countKinds(plan.differences)) };
}

const ours = linesOf(desired);
const [declaration = "", jump = "", ten = "", sixteen = "", masquerade = ""] = ours;
const tree = linesOf(policy("IPv4", treeSet));
const without = (...gone: readonly string[]) => ours.filter((line) => !gone.includes(line));
const bare = "[0:0] -A POSTROUTING -m addrtype ! --dst-type LOCAL -j IP-MASQ-AGENT";
const counted = ours.map((line) => line.replace("[0:0]", "[7:420]"));

const cases: readonly (readonly [string, readonly string[], Partial<Record<DriftKind, number>>, string])[] = [
  ["nothing", ours, {}, ""],
  ["counters", counted, {}, ""],
  ["a jump with another comment", [...without(jump), bare], {}, ""],
  ["rules of others", [...ours, ":FOO - [0:0]", "[0:0] -A FOO -j RETURN", "[0:0] -A POSTROUTING -j FOO"], {}, ""],
  ["everything gone", [], { table: 1, jump: 1 }, "-A IP-MASQ-AGENT"],
  [
    "chain and jump gone",
    without(declaration, jump, ten, sixteen, masquerade),
    { table: 1, jump: 1 },
    "-A POSTROUTING",
  ],
  ["chain flushed", [declaration, jump], { missing: 3 }, ":IP-MASQ-AGENT"],
  ["jump gone", without(jump), { jump: 1 }, "-A POSTROUTING"],
  ["jump there twice", [...ours, bare], { jump: 1 }, "-D POSTROUTING -m addrtype ! --dst-type LOCAL -j IP"],
  ["jump there three times", [...ours, bare, jump], { jump: 2 }, "-D POSTROUTING"],
  [
    "jump without condition",
    [...without(jump), "[0:0] -A POSTROUTING -j IP-MASQ-AGENT"],
    { jump: 1 },
    "-D POSTROUTING",
  ],
  ["goto in place of the jump", [...without(jump), bare.replace("-j", "-g")], { jump: 1 }, "-g IP-MASQ-AGENT"],
  [
    "jump into the tree",
    [...ours, "[0:0] -A POSTROUTING -j IPMASQ-TRANSLATE"],
    { jump: 1 },
    "-D POSTROUTING -j IPMASQ",
  ],
  ["first rule gone", without(ten), { missing: 1 }, "-A IP-MASQ-AGENT"],
  ["last rule gone", without(masquerade), { missing: 1 }, "-A IP-MASQ-AGENT"],
  ["foreign rule last", [...ours, "[0:0] -A IP-MASQ-AGENT -j ACCEPT"], { extra: 1 }, "-A IP-MASQ-AGENT"],
  [
    "foreign rule first",
    [declaration, jump, "[0:0] -A IP-MASQ-AGENT -o x -j DNAT", ten, sixteen, masquerade],
    { extra: 1 },
    ":IP",
  ],
  ["rule modified", [declaration, jump, ten.replace("/8", "/9"), sixteen, masquerade], { modified: 1 }, ":IP"],
  ["order", [declaration, jump, masquerade, ten, sixteen], { order: 1 }, ":IP"],
  ["a tree no longer wanted", [...ours, ":IPMASQ-TRANSLATE - [0:0]"], { extra: 1 }, "-X IPMASQ-TRANSLATE"],
];

test.each(cases)("%s", (_, lines, kinds, transaction) => {
  const plan = planned(lines);
  expect(plan.kinds).toEqual(kinds);
  expect(plan.transaction).toContain(transaction);
  const isQuiet = Object.keys(kinds).length === 0;
  expect([plan.transaction === "", plan.summary === ""]).toEqual([isQuiet, isQuiet]);
});

describe("one restore", () => {
  test("touches only what differs", () => {
    const flushed = tree.filter((line) => !line.includes("-A IPMASQ-14000000-12"));
    const { transaction, kinds, summary } = planned(flushed, policy("IPv4", treeSet));
    expect(transaction.split("\n").filter((line) => line.startsWith(":"))).toEqual([":IPMASQ-14000000-12 - [0:0]"]);
    expect(kinds).toEqual({ missing: 3 });
    expect(summary).toBe("rewrites 1 chain");
  });

  test("says what it removes and adds", () => {
    const { summary } = planned([...tree, bare].filter((line) => line !== jump));
    expect(summary).toBe("rewrites 1 chain, removes 20 chains");
    expect(planned([bare.replace("-m addrtype ! --dst-type LOCAL ", "")]).summary).toBe(
      "rewrites 1 chain, removes 1 jump, adds the jump from POSTROUTING",
    );
  });

  test("keeps a jump that is right, and where it stands", () => {
    const { transaction } = planned([bare, ...ours]);
    expect(transaction).not.toContain("-A POSTROUTING");
    expect(transaction.match(/^-D POSTROUTING .*$/gm)).toEqual([jump.replace("[0:0] -A", "-D")]);
  });

  test("empties a chain that others lead to, and then leaves it", () => {
    const foreign = [":FOO - [0:0]", "[0:0] -A FOO -g IPMASQ-TRANSLATE"];
    const emptied = planned([
      ...ours,
      ":IPMASQ-TRANSLATE - [0:0]",
      "[0:0] -A IPMASQ-TRANSLATE -j MASQUERADE",
      ...foreign,
    ]);
    expect(emptied.transaction).toContain(":IPMASQ-TRANSLATE");
    expect(emptied.transaction).not.toContain("-X");
    const after = [...ours, ":IPMASQ-TRANSLATE - [0:0]", ...foreign];
    expect(planned(after).transaction).toBe("");
    expect(seenOf(after).policy).toEqual(desired);
    expect(seenOf([":IPMASQ-TRANSLATE - [0:0]", ...foreign]).present).toBe(false);
  });
});

test("policies that cannot be read as one are none", () => {
  const unreadable = [
    without(jump),
    without(masquerade),
    [...ours, bare],
    [...ours, "[0:0] -A IP-MASQ-AGENT -j ACCEPT"],
  ];
  for (const lines of unreadable) expect(seenOf(lines).policy).toBeUndefined();
  expect(seenOf(tree).policy).toEqual(policy("IPv4", treeSet));
  expect(seenOf(tree.filter((line) => !line.includes("-12 -g IPMASQ-TRANSLATE"))).policy).toBeUndefined();
});
