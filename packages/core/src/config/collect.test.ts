import { expect, test } from "vitest";
import { FindingCollector, mostListed } from "./collect.ts";
import type { Finding, Severity } from "./finding.ts";
import { countFindings, formatFindings, hasErrors } from "./finding.ts";

function finding(severity: Severity, line: number): Finding {
  return { severity, code: "unknown-key", file: "f", line, reason: "r", remedy: "r" };
}

test("beyond a hundred findings the rest is counted, and no error is lost in it", () => {
  const collector = new FindingCollector();
  for (let line = 1; line <= mostListed; line++) collector.add(finding("warning", line));
  expect(collector.findings()).toHaveLength(mostListed);
  collector.add(finding("warning", 5_000));
  expect(collector.findings().at(-1)).toMatchObject({ severity: "warning", code: "too-many-findings", line: 5_000 });
  expect(collector.findings().at(-1)?.reason).toContain("1 more warning is not listed");
  expect(hasErrors(collector.findings())).toBe(false);
  collector.add(finding("error", 6_000));
  collector.add(finding("error", 7_000));
  const all = collector.findings();
  expect(all).toHaveLength(mostListed + 2);
  expect(all.at(-1)).toMatchObject({
    severity: "error",
    line: 6_000,
    reason: expect.stringContaining("2 more errors"),
  });
  expect(countFindings(all)).toBe(mostListed + 3);
  expect(countFindings(all, "error")).toBe(2);
});

test("shown are the first few, errors before warnings, and how many there are besides", () => {
  const findings = [finding("warning", 1), finding("error", 2), { ...finding("warning", 3), count: 7 }];
  expect(formatFindings(findings, 3)).toEqual(["f:2: r; r", "f:1: r; r", "f:3: r; r"]);
  expect(formatFindings(findings, 1)).toEqual(["f:2: r; r", "and 8 more"]);
});
