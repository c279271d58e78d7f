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

test("100,000 CIDRs are read in a few hundred milliseconds, not in minutes", () => {
  const list = Array.from(
    { length: 100_000 },
    (_, index) => `- ${20 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}.0/24\n`,
  );
  const started = performance.now();
  const result = read(`cidrLimit: 100000\nnonMasqueradeCIDRs:\n${list.join("")}`);
  expect(cidrs(result)).toHaveLength(100_000);
  // Ten times what it takes on two cores: enough to fail on anything quadratic, and on nothing else.
  expect(performance.now() - started).toBeLessThan(4_000);
});
