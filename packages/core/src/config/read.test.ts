import { expect, test } from "vitest";
import { cidrs, read, readAll } from "./test-read.ts";

test("no file means the defaults", () => {
  expect(readAll({})).toEqual(read(""));
  expect(readAll({}).config).toMatchObject({
    cidrLimit: 64,
    masqLinkLocal: false,
    masqLinkLocalIPv6: false,
    resyncIntervalMs: 60_000,
  });
  expect(cidrs(readAll({}))).toEqual(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]);
  expect(cidrs(readAll({}, { reservedRanges: true }))).toHaveLength(11);
  expect(cidrs(read("masqLinkLocal: true", { reservedRanges: true }))).toHaveLength(11);
  expect(cidrs(read("nonMasqueradeCIDRs: [10.0.0.0/8]", { reservedRanges: true }))).toEqual(["10.0.0.0/8"]);
});

test("one bad file refuses them all, and the others' findings are told too", () => {
  const result = readAll({ a: "masqLinkLocal: true\nfoo: 1", b: "{*", c: "cidrLimit: 1.5" });
  expect(result.config).toBeUndefined();
  expect(result.findings.map(({ file, code }) => `${file} ${code}`)).toEqual([
    "a unknown-key",
    "b json-syntax",
    "c wrong-type",
  ]);
});

const list = (count: number) =>
  Array.from(
    { length: count },
    (_, index) => `- ${20 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.0/24\n`,
  ).join("");

test("50,000 CIDRs are read in a few hundred milliseconds, not in minutes", () => {
  const started = performance.now();
  const result = read(`cidrLimit: 100000\nnonMasqueradeCIDRs:\n${list(50_000)}`);
  expect(cidrs(result)).toHaveLength(50_000);
  // Ten times what it takes on two cores: enough to fail on anything quadratic, and on nothing else.
  expect(performance.now() - started).toBeLessThan(2_000);
});

test("one more is refused, whatever cidrLimit says, and so is a sum over files", () => {
  const refusal = {
    severity: "error",
    code: "cidr-maximum",
    value: "50001",
    reason: expect.stringMatching(/50001 CIDRs, and at most 50000 are supported/),
    remedy: expect.stringContaining("larger ones"),
  };
  expect(read(`cidrLimit: 100000\nnonMasqueradeCIDRs:\n${list(50_001)}`)).toMatchObject({
    config: undefined,
    findings: [{ ...refusal, file: "ip-masq-agent", line: 2 }],
  });
  const both = readAll({
    "ip-masq-a": `cidrLimit: 100000\nnonMasqueradeCIDRs:\n${list(20_001)}`,
    "ip-masq-b": `nonMasqueradeCIDRs:\n${list(30_000)}`,
  });
  expect(both).toMatchObject({ config: undefined, findings: [{ ...refusal, file: "ip-masq-b" }] });
});
