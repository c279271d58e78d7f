import { readFileSync } from "node:fs";
import { formatSet, setOfRanges } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { policy } from "../test/policy.ts";
import { observationOf } from "./observe.ts";
import { parseRule, parseTable } from "./parse.ts";
import { ruleKey, rulesetOf } from "./ruleset.ts";

const able = { variant: "", toolVersion: "", randomFully: true };

/** What each version printed for the same table: 1.0.6 Debian 12, 1.1.3 Debian 13, 1.1.7 Debian 14. */
describe.each(["1.0.6", "1.1.3", "1.1.7"])("nft %s", (version) => {
  const captured = (name: string) =>
    readFileSync(new URL(`../test/captured/${version}/${name}.out`, import.meta.url), "utf8");

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
    ["IPv4.without-protocol-names", policy("IPv4", ["10.0.0.0/8"], { ports: [{ first: 80, last: 80 }] })],
    [
      "IPv6.not-random",
      policy("IPv6", ["fd00::/8", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], { randomFully: false }),
    ],
  ])("%s is the policy that was written", (name, written) => {
    const table = parseTable(written.family, captured(name));
    expect(table).toMatchObject({
      flags: [],
      set: { otherShape: undefined },
      chain: { otherHook: undefined },
      extra: [],
    });
    expect(table.chain?.rules.map(({ rule }) => ruleKey(rule))).toEqual(rulesetOf(written, able).rules.map(ruleKey));
    expect(observationOf(written.family, table)).toMatchObject({ present: true, policy: written });
  });

  test("elements that we never write are kept apart", () => {
    const elements = parseTable("IPv4", captured("IPv4.foreign-elements")).set?.elements ?? [];
    expect(elements.filter((element) => "foreign" in element)).toEqual([{ foreign: expect.stringContaining("mine") }]);
    const ranges = elements.flatMap((element) => ("foreign" in element ? [] : [element]));
    expect(formatSet(setOfRanges("IPv4", ranges))).toEqual([
      ...["1.0.0.5/32", "1.0.0.6/31", "1.0.0.8/31", "10.0.0.0/8", "172.16.0.0/12"],
    ]);
  });

  test("objects and rules that we never write are named, and leave no policy", () => {
    const table = parseTable("IPv4", captured("IPv4.foreign-objects"));
    expect(table.extra.toSorted()).toEqual(["chain other", "counter seen", "map marks", "set names"]);
    const kinds = table.chain?.rules.map(({ rule }) => rule.kind);
    expect(kinds).toEqual(["foreign", "local", "exempt", "masquerade", "foreign"]);
    expect(observationOf("IPv4", table).policy).toBeUndefined();
  });

  test("a set and a hook of another kind are told apart", () => {
    const table = parseTable("IPv4", captured("IPv4.other-frame"));
    expect(table.set?.otherShape).toMatch(/^type "ipv4_addr" flags interval,timeout(?:,auto-merge)?$/);
    expect(table.chain?.otherHook).toBe("type nat hook postrouting priority -5 policy drop");
  });

  test("a dormant table has flags", () => {
    const table = parseTable("IPv4", captured("IPv4.dormant"));
    // nft 1.0.6 prints a freed string there: here it was the family.
    expect(table.flags).toEqual(version === "1.0.6" ? ["ip"] : ["dormant"]);
    expect(observationOf("IPv4", table).policy).toBeUndefined();
  });

  test("what is not whole throws", () => {
    const text = captured("IPv4.nothing");
    for (const length of [0, 1, 100, text.length - 3]) {
      expect(() => parseTable("IPv4", text.slice(0, length))).toThrow(SyntaxError);
    }
    expect(() => parseTable("IPv4", '{"nftables": []}')).toThrow("no table ip-masq-agent among 0 objects");
    expect(() => parseTable("IPv4", "[]")).toThrow(SyntaxError);
  });

  test("counts are those of our rules", () => {
    const counted = captured("IPv4.port-ranges").replaceAll('"packets": 0, "bytes": 0', '"packets": 3, "bytes": 50');
    expect(observationOf("IPv4", parseTable("IPv4", counted)).counters).toEqual({
      exemptPackets: 3,
      masqueradedPackets: 12,
      masqueradedBytes: 200,
    });
  });
});

describe("a rule one word away from ours is foreign", () => {
  const counter = { counter: { packets: 7, bytes: 70 } };
  const fib = (result: string, flags: unknown) => ({ fib: { result, flags } });
  const match = (left: unknown, right: unknown, op = "==") => ({ match: { op, left, right } });
  const daddr = { payload: { protocol: "ip", field: "daddr" } };
  const protocols = match({ meta: { key: "l4proto" } }, { set: ["udp", "tcp", "sctp"] });
  const draw = (numgen: object, op = "<") => match({ numgen: { mod: 100, ...numgen } }, 30, op);

  test.each([
    ["ours", [match(fib("type", ["daddr"]), "local"), { return: null }], "local"],
    ["one flag as a word", [match(fib("type", "daddr"), "local"), { return: null }], "local"],
    ["source instead", [match(fib("type", ["saddr"]), "local"), { return: null }], "foreign"],
    ["by interface", [match(fib("type", ["daddr", "oif"]), "local"), { return: null }], "foreign"],
    ["another type", [match(fib("type", ["daddr"]), "broadcast"), { return: null }], "foreign"],
    ["another verdict", [match(fib("type", ["daddr"]), "local"), { accept: null }], "foreign"],
    ["ours", [match(daddr, "@exempt"), counter, { return: null }], "exempt"],
    ["another set", [match(daddr, "@other"), counter, { return: null }], "foreign"],
    ["not in the set", [match(daddr, "@exempt", "!="), counter, { return: null }], "foreign"],
    ["not counted", [match(daddr, "@exempt"), { return: null }], "foreign"],
    ["accept for return", [match(daddr, "@exempt"), counter, { accept: null }], "foreign"],
    ["ours, bare", [counter, { masquerade: null }], "masquerade"],
    ["ours", [counter, { masquerade: { flags: ["fully-random"] } }], "masquerade"],
    ["other flags", [counter, { masquerade: { flags: ["fully-random", "persistent"] } }], "foreign"],
    ["ports for all protocols", [counter, { masquerade: { port: 80 } }], "foreign"],
    ["ours", [protocols, counter, { masquerade: { port: 80 } }], "masquerade"],
    ["one protocol", [match({ meta: { key: "l4proto" } }, "tcp"), counter, { masquerade: { port: 80 } }], "foreign"],
    ["protocols but no ports", [protocols, counter, { masquerade: null }], "foreign"],
    ["ours", [protocols, draw({ mode: "random", offset: 0 }), counter, { masquerade: { port: 80 } }], "masquerade"],
    ["in turn", [protocols, draw({ mode: "inc", offset: 0 }), counter, { masquerade: { port: 80 } }], "foreign"],
    ["offset", [protocols, draw({ mode: "random", offset: 9 }), counter, { masquerade: { port: 80 } }], "foreign"],
    ["the rest", [protocols, draw({ mode: "random" }, ">"), counter, { masquerade: { port: 80 } }], "foreign"],
    ["nothing", [], "foreign"],
    ["not a list", undefined, "foreign"],
  ])("%s: %j is %s", (_, expressions, kind) => {
    expect(parseRule("IPv4", expressions).rule.kind).toBe(kind);
  });

  test("its text is the same whatever it counted", () => {
    const rule = (packets: number) => parseRule("IPv4", [{ counter: { packets, bytes: 9 } }, { drop: null }]).rule;
    expect(rule(1)).toEqual(rule(2));
  });
});
