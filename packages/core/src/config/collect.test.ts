import { expect, test } from "vitest";
import { FindingCollector, mostListed } from "./collect.ts";
import type { Finding, Severity } from "./finding.ts";
import { hasErrors } from "./finding.ts";

function finding(severity: Severity, line: number): Finding {
  return { severity, code: "unknown-key", file: "f", line, reason: "r", remedy: "r" };
}

test("beyond a thousand findings one stands for the rest, and no error is lost in it", () => {
  const collector = new FindingCollector();
  for (let line = 1; line <= mostListed; line++) collector.add(finding("warning", line));
  expect(collector.findings()).toHaveLength(mostListed);
  collector.add(finding("warning", 5_000));
  expect(collector.findings().at(-1)).toMatchObject({ severity: "warning", code: "too-many-findings", line: 5_000 });
  expect(hasErrors(collector.findings())).toBe(false);
  collector.add(finding("error", 6_000));
  collector.add(finding("error", 7_000));
  expect(collector.findings()).toHaveLength(mostListed + 1);
  expect(collector.findings().at(-1)).toMatchObject({ severity: "error", line: 6_000 });
  expect(collector.findings().at(-1)?.reason).toContain("3 more");
});
