import { expect, test } from "vitest";
import { cidrs, messages, read, readAll } from "./test-read.ts";

test("union of the CIDRs, true where any says so, the shortest interval, the largest limit", () => {
  const result = readAll({
    "ip-masq-a": "nonMasqueradeCIDRs: [10.0.0.0/8]\nmasqLinkLocal: true\nresyncInterval: 60s\ncidrLimit: 2\n",
    "ip-masq-b": "nonMasqueradeCIDRs: [172.16.0.0/12]\nresyncInterval: 30s\ncidrLimit: 3\nmasqLinkLocal: false\n",
    "ip-masq-c": "masqLinkLocalIPv6: true\n",
  });
  expect(result.config).toMatchObject({
    cidrLimit: 3,
    masqLinkLocal: true,
    masqLinkLocalIPv6: true,
    resyncIntervalMs: 30_000,
  });
  expect(cidrs(result)).toEqual(["10.0.0.0/8", "172.16.0.0/12"]);
  expect(messages(result)).toEqual([
    'warning files-differ ip-masq-a:4: cidrLimit "2": differs from ip-masq-b:3, which says 3; of several files, the largest counts; say the same in all files, or say it in one alone',
    'warning files-differ ip-masq-b:4: masqLinkLocal "false": differs from ip-masq-a:2, which says true; of several files, one that says true counts; say the same in all files, or say it in one alone',
    'warning files-differ ip-masq-a:3: resyncInterval "1m0s": differs from ip-masq-b:2, which says 30s; of several files, the shortest counts; say the same in all files, or say it in one alone',
  ]);
});

test("the default CIDRs count where no file has the key, and an empty list is one", () => {
  expect(cidrs(readAll({ a: "masqLinkLocal: true", b: "cidrLimit: 5" }))).toHaveLength(3);
  expect(cidrs(readAll({ a: "masqLinkLocal: true", b: "nonMasqueradeCIDRs: [11.0.0.0/8]" }))).toEqual(["11.0.0.0/8"]);
  const empty = readAll({ a: "masqLinkLocal: true", b: "nonMasqueradeCIDRs: []" });
  expect(cidrs(empty)).toEqual([]);
  expect(messages(empty)[0]).toContain("warning empty-list b:1: nonMasqueradeCIDRs: is empty");
  expect(readAll({ a: "nonMasqueradeCIDRs: [11.0.0.0/8]", b: "nonMasqueradeCIDRs: []" }).findings).toEqual([]);
});

test("what one file exempts and another's masqLinkLocal denies, and overlaps among files", () => {
  const result = readAll({
    a: "nonMasqueradeCIDRs: [169.254.0.0/16, 10.1.0.0/16]",
    b: "nonMasqueradeCIDRs: [10.0.0.0/8]\nmasqLinkLocal: true",
  });
  expect(messages(result)).toEqual([
    'warning link-local-exempt a:1: nonMasqueradeCIDRs "169.254.0.0/16": exempts link-local addresses (169.254.0.0/16), although masqLinkLocal is true (b:2); remove it, or remove masqLinkLocal',
    'warning cidr-overlap a:1: nonMasqueradeCIDRs "10.1.0.0/16": is already covered by 10.0.0.0/8 (b:1); remove one of the two; the rules are the same without it',
  ]);
});

test("the limit holds for all of them together", () => {
  const list = (octet: number) =>
    `nonMasqueradeCIDRs: [${Array.from({ length: 40 }, (_, index) => `20.${octet}.${index}.0/24`)}]\n`;
  expect(messages(readAll({ a: list(1), b: list(2) }))).toEqual([
    'error cidr-limit a:1: nonMasqueradeCIDRs "80": the lists have 80 CIDRs (link-local not counted), and cidrLimit allows 64; raise cidrLimit if all of them are meant, or list fewer',
  ]);
  expect(readAll({ a: list(1), b: `${list(2)}cidrLimit: 80` }).config).toBeDefined();
});

test("a list is too long as listed, and only where every limit is known", () => {
  const list = (count: number) => `nonMasqueradeCIDRs: [${Array(count).fill("10.0.0.0/8")}]\n`;
  expect(read(list(64)).config).toBeDefined();
  expect(messages(read(list(65)))).toEqual([
    'error cidr-limit ip-masq-agent:1: nonMasqueradeCIDRs "65": the list has 65 CIDRs (link-local not counted), and cidrLimit allows 64; raise cidrLimit if all of them are meant, or list fewer',
  ]);
  expect(read(`${list(65)}cidrLimit: 65`).config).toBeDefined();
  expect(read(`${list(65)}cidrLimit: x`).findings).toHaveLength(1);
  expect(messages(read("# one\n# two\ncidrLimit: 2"))[0]).toContain("ip-masq-agent:3: nonMasqueradeCIDRs");
  expect(messages(read("nonMasqueradeCIDRs: []\ncidrLimit: -1"))[0]).toContain("is below 0");
});
