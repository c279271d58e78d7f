import { formatFinding } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { fewPorts } from "./few-ports.ts";
import { parsePorts } from "./flags/values.ts";

function told(text: string): readonly string[] {
  const checked = parsePorts(text);
  if (!("value" in checked)) throw new Error(checked.reason);
  return fewPorts(checked.value).map(formatFinding);
}

test("fewer than 1,000 ports in all are warned of, with the count and a remedy", () => {
  expect(told("2000-2998")).toEqual([
    '--to-ports: "2000-2998": has 999 ports in all, and each connection to one destination (address, port, protocol) takes one: when they are used up, new connections to it fail; give at least 1000 ports, or leave it empty for the kernel\'s choice',
  ]);
  expect(told("80")[0]).toContain("has 1 port in all");
});

test("a port that two ranges have counts once, in whatever order they are", () => {
  expect(told("3000-3499,2000-2499,2200-2299")).toEqual([]);
  expect(told("3000-3499,2000-2498,2200-2299")[0]).toContain("has 999 ports");
  expect(told("2000-2998,2000-2998")[0]).toContain("has 999 ports");
});

test.each(["", "2000-2999", "1024-65535"])("%j is enough", (text) => {
  expect(told(text)).toEqual([]);
});
