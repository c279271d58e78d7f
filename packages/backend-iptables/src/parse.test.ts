import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { policy } from "../test/policy.ts";
import { observationOf } from "./observe.ts";
import { commentOf, isJump, parseRule, parseSave, splitWords, targetOf } from "./parse.ts";
import { planChange } from "./plan.ts";
import { rulesetOf } from "./ruleset.ts";

const able = { variant: "", toolVersion: "", randomFully: true };
const everything = () => true;
const chain = "IP-MASQ-AGENT";

/** What each version printed: 1.8.9 Debian 12, 1.8.11 Debian 13. */
describe.each([
  ["1.8.9", "nft"],
  ["1.8.9", "legacy"],
  ["1.8.11", "nft"],
  ["1.8.11", "legacy"],
])("iptables %s, %s", (version, variant) => {
  const captured = (name: string) =>
    readFileSync(new URL(`../test/captured/${version}/${name}.${variant}.save`, import.meta.url), "utf8");

  test.each([
    [
      "IPv4.port-ranges",
      policy("IPv4", ["0.0.0.0/32", "1.2.3.4/31", "10.0.0.0/8", "11.0.0.0/16", "255.255.255.255"], {
        ports: [
          { first: 20_000, last: 20_099 },
          { first: 30_000, last: 30_299 },
          { first: 80, last: 80 },
        ],
      }),
    ],
    ["IPv4.everything", policy("IPv4", ["0.0.0.0/0"])],
    ["IPv4.nothing", policy("IPv4", [])],
    [
      "IPv4.tree",
      policy(
        "IPv4",
        Array.from({ length: 100 }, (_, index) => `20.${index}.${index * 2}.0/24`),
        { ports: [{ first: 1_024, last: 65_535 }] },
      ),
    ],
    [
      "IPv6.not-random",
      policy(
        "IPv6",
        [
          ...["fd00::/8", "2001:db8::1", "1:0:0:2::3", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
          // Printed with a dotted tail, as the C library does.
          ...["::102:300/120", "::ffff:a00:0/112"],
        ],
        { randomFully: false },
      ),
    ],
    ["IPv4.foreign", policy("IPv4", ["10.0.0.0/8"])],
  ])("%s is the policy that was written", (name, written) => {
    const seen = observationOf(written.family, chain, captured(name));
    expect(seen).toMatchObject({ present: true, leftovers: { chains: [], jumps: [] }, policy: written });
    expect(seen && planChange(rulesetOf(written, chain, able), seen)).toMatchObject({
      differences: [],
      transaction: "",
    });
  });

  test("a fresh node has nothing of ours", () => {
    const expected = { present: false, policy: undefined, jumps: [] };
    expect(observationOf("IPv4", chain, captured("IPv4.fresh"))).toMatchObject(expected);
  });

  test("a table cut off anywhere is unreadable", () => {
    const text = captured("IPv4.foreign");
    const whole = text.indexOf("COMMIT\n") + "COMMIT\n".length;
    for (let end = 0; end < whole; end++) expect(observationOf("IPv4", chain, text.slice(0, end))).toBeUndefined();
    expect(observationOf("IPv4", chain, text.slice(0, whole))).toBeDefined();
  });

  test("rules of others are kept whole, whatever their comments hold", () => {
    const rules = parseSave(captured("IPv4.foreign"), everything)?.rules ?? [];
    const kube = rules.filter((rule) => rule.chain === "KUBE-POSTROUTING").map(({ text }) => text);
    expect(kube.map(commentOf)).toEqual([
      ...[undefined, "ip-masq-agent: mine", "a\nb", "-j", undefined, `it's "quoted" \\ so`, undefined],
    ]);
    expect(kube.map(targetOf)).toEqual(["RETURN", "RETURN", "MARK", "RETURN", "LOG", "MASQUERADE", undefined]);
  });
});

test.each([
  ["a line that is none", "*nat\nsomething\nCOMMIT\n"],
  ["a rule without counters", "*nat\n-A X -j RETURN\nCOMMIT\n"],
  ["rules after the end", "*nat\nCOMMIT\n[0:0] -A X -j RETURN\n"],
  ["an end without a beginning", "COMMIT\n"],
  ["another table", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"],
])("%s is no table", (_, text) => {
  expect(parseSave(text, everything)).toBeUndefined();
});

test("counters are read", () => {
  const text = `*nat\n:${chain} - [0:0]\n[3:252] -A ${chain} -d 10.0.0.0/8 -j RETURN\n[7:420] -A ${chain} -j MASQUERADE\nCOMMIT\n`;
  const counters = { exemptPackets: 3, masqueradedPackets: 7, masqueradedBytes: 420 };
  expect(observationOf("IPv4", chain, text)).toMatchObject({ counters });
});

test.each([
  ["-d 10.0.0.0/8 -i eth0 -j RETURN"],
  ["! -d 10.0.0.0/8 -j RETURN"],
  ["-m addrtype --dst-type LOCAL -j RETURN"],
  ["-m addrtype ! --src-type LOCAL -j RETURN"],
  ["-m mark --mark 0x1 -j RETURN"],
  ["-m statistic --mode nth --every 2 -j RETURN"],
  ["-m statistic --mode random --probability 0.5 -m statistic --mode random --probability 0.5 -j RETURN"],
  ["-j MASQUERADE --random"],
  ["-j RETURN --to-ports 80"],
  ["-j MASQUERADE --to-ports http"],
  ["-d 10.0.0.0/255.0.0.0 -j RETURN"],
  ["-d 10.0.0.0/8"],
])("%s is none of the rules we write", (text) => {
  expect(parseRule("IPv4", text)).toBeUndefined();
});

test.each([
  ["-m addrtype ! --dst-type LOCAL -j X", true],
  ['-m comment --comment "x y" -m addrtype ! --dst-type LOCAL -j X', true],
  ["-d 0.0.0.0/0 -m addrtype ! --dst-type LOCAL -j X", true],
  ["-m addrtype ! --dst-type LOCAL -j Y", false],
  ["-m addrtype ! --dst-type LOCAL -g X", false],
  ["-j X", false],
  ["-p udp -m addrtype ! --dst-type LOCAL -j X", false],
  ["-d 10.0.0.0/8 -m addrtype ! --dst-type LOCAL -j X", false],
  ["-o eth0 -m addrtype ! --dst-type LOCAL -j X", false],
])("%s is the jump to X: %s", (text, expected) => {
  expect(isJump(parseRule("IPv4", text), "X")).toBe(expected);
});

test("protocols printed as numbers have their names", () => {
  const protocols = [6, 17, 132].map((number) => parseRule("IPv4", `-p ${number} -j RETURN`)?.protocol);
  expect(protocols).toEqual(["tcp", "udp", "sctp"]);
});

test("words are split as iptables quotes them", () => {
  expect(splitWords(`-m comment --comment "a \\"b\\" \\\\ it\\'s" -j X`)).toEqual([
    ...["-m", "comment", "--comment", `a "b" \\ it's`, "-j", "X"],
  ]);
});
