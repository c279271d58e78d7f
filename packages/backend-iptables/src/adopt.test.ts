import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { policy } from "../test/policy.ts";
import { observationOf } from "./observe.ts";
import { planChange } from "./plan.ts";
import { renderRule } from "./render.ts";
import { rulesetOf } from "./ruleset.ts";

const able = { variant: "", toolVersion: "", randomFully: true };
const chain = "IP-MASQ-AGENT";
const desired = policy("IPv4", ["10.0.0.0/8"]);
const marked = '-m comment --comment "ip-masq-agent: whatever"';

function planned(text: string) {
  const seen = observationOf("IPv4", chain, text);
  if (seen === undefined) throw new Error("the table cannot be read");
  return { seen, ...planChange(rulesetOf(desired, chain, able), seen) };
}

function table(...lines: readonly string[]): string {
  return ["*nat", ...lines, "COMMIT", ""].join("\n");
}

describe.each(["1.8.9", "1.8.11"])("iptables %s: of the Go original", (version) => {
  describe.each(["nft", "legacy"])("%s", (variant) => {
    const captured = (name: string) =>
      readFileSync(new URL(`../test/captured/${version}/${name}.${variant}.save`, import.meta.url), "utf8");

    test("the chain is rewritten, one of its three jumps stays", () => {
      const { transaction, summary } = planned(captured("IPv4.original"));
      expect(summary).toBe("rewrites 1 chain, removes 2 jumps");
      expect(transaction).not.toContain("-A POSTROUTING");
      expect(transaction.match(/^-D POSTROUTING .* -j IP-MASQ-AGENT$/gm)).toHaveLength(2);
    });

    test("a chain of another name goes as ours comes", () => {
      const { seen, transaction, summary } = planned(captured("IPv4.renamed"));
      expect(seen.leftovers).toMatchObject({ chains: ["OLD-NAME"], jumps: [expect.stringContaining("-j OLD-NAME")] });
      expect(summary).toBe("rewrites 1 chain, removes 1 chain, removes 1 jump, adds the jump from POSTROUTING");
      expect(transaction).toMatch(/^-D POSTROUTING .*our custom OLD-NAME chain" .* -j OLD-NAME$/m);
      expect(transaction).toContain("-X OLD-NAME\n");
    });
  });
});

test.each([
  ["a jump with our comment", [":OLD - [0:0]", `[0:0] -A POSTROUTING ${marked} -j OLD`], ["OLD"], 1],
  [
    "a rule with our comment, and a jump without",
    [
      ":OLD - [0:0]",
      "[0:0] -A POSTROUTING -m addrtype ! --dst-type LOCAL -j OLD",
      `[0:0] -A OLD ${marked} -j MASQUERADE`,
    ],
    ["OLD"],
    1,
  ],
  ["a rule with our comment, and no jump", [":OLD - [0:0]", `[0:0] -A OLD ${marked} -j RETURN`], ["OLD"], 0],
  [
    "our own tree",
    [":OLD - [0:0]", "[0:0] -A OLD -d 10.0.0.0/8 -g IPMASQ-0a000000-8", `[0:0] -A OLD ${marked} -g IPMASQ-TRANSLATE`],
    ["OLD"],
    0,
  ],
  [
    "two of them",
    [":A - [0:0]", ":B - [0:0]", `[0:0] -A POSTROUTING ${marked} -j A`, `[0:0] -A B ${marked} -j RETURN`],
    ["A", "B"],
    1,
  ],
  ["no comment", [":OLD - [0:0]", "[0:0] -A POSTROUTING -j OLD", "[0:0] -A OLD -j MASQUERADE"], [], 0],
  [
    "a comment like ours",
    [":IP-MASQ - [0:0]", '[0:0] -A IP-MASQ -m comment --comment "ip-masq: local traffic" -j RETURN'],
    [],
    0,
  ],
  [
    "our comment in the chain of somebody else",
    [
      ":KUBE - [0:0]",
      "[0:0] -A POSTROUTING -j KUBE",
      `[0:0] -A KUBE ${marked} -j RETURN`,
      "[0:0] -A KUBE -m mark --mark 0x1 -j MASQUERADE",
    ],
    [],
    0,
  ],
  [
    "our comment on a jump to somebody else",
    [":KUBE - [0:0]", `[0:0] -A POSTROUTING ${marked} -j KUBE`, "[0:0] -A KUBE -m mark --mark 0x1 -j MASQUERADE"],
    [],
    1,
  ],
  ["our comment on a rule that leads nowhere", [`[0:0] -A POSTROUTING ${marked} -j MASQUERADE`], [], 0],
  ["our comment in another rule's words", ['[0:0] -A POSTROUTING -j LOG --log-prefix "ip-masq-agent: x"'], [], 0],
  ["our own under our own name", [":IP-MASQ-AGENT - [0:0]", `[0:0] -A IP-MASQ-AGENT ${marked} -j MASQUERADE`], [], 0],
] as const)("left over: %s", (_, lines, chains, jumps) => {
  const { seen, transaction } = planned(table(...lines));
  expect(seen.leftovers.chains).toEqual(chains);
  expect(seen.leftovers.jumps).toHaveLength(jumps);
  expect([...transaction.matchAll(/^-X (.*)$/gm)].map((match) => match[1])).toEqual(chains);
  expect([...transaction.matchAll(/^-D /gm)]).toHaveLength(jumps);
});

test("a left-over chain that others lead to is emptied", () => {
  const { transaction } = planned(
    table(":OLD - [0:0]", ":FOO - [0:0]", `[0:0] -A OLD ${marked} -j MASQUERADE`, "[0:0] -A FOO -j OLD"),
  );
  expect(transaction).toContain(":OLD - [0:0]\n");
  expect(transaction).not.toContain("-X");
});

test("what is planned makes what was left over our own", () => {
  const { chains, jump } = rulesetOf(desired, chain, able);
  const rules = chains.flatMap(({ rules: list }) => list.map((rule) => `[0:0] -A ${chain} ${renderRule(rule)}`));
  const { seen, transaction } = planned(
    table(`:${chain} - [0:0]`, `[0:0] -A POSTROUTING ${renderRule(jump)}`, ...rules),
  );
  expect(seen.leftovers).toEqual({ chains: [], jumps: [] });
  expect(transaction).toBe("");
});
