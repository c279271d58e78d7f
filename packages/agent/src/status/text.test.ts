import { expect, test } from "vitest";
import { paintFor } from "../text/colour.ts";
import type { ConfigStatus, Status } from "./status.ts";
import { statusText } from "./text.ts";

const of = (config: Partial<ConfigStatus>): readonly string[] => {
  const status: Status = {
    ...{ kind: "Statusz", apiVersion: "ip-masq-agent/v1alpha1", metadata: { name: "ip-masq-agent" } },
    ...{ startTime: "", uptimeSeconds: 61, binaryVersion: "1", commit: "c", nodeVersion: "v", paths: [] },
    config: { path: "/c", files: [], warnings: [], watches: [], ...config },
    ...{ families: [], drifts: [] },
  };
  const lines = statusText(status, paintFor(false));
  return lines.filter((line) => /^(?:config|missing|warning|refused)/.test(line));
};
const loadedAt = "2026-01-02T03:04:05.000Z";
const why = "/c: does not exist; create it";
const missing = (inForce: "defaults" | "last-good" | "nothing") => ({
  since: "2026-01-01T00:00:00.000Z",
  inForce,
  why,
});

test("no config where none is called for: the defaults", () => {
  expect(of({ loadedAt })).toEqual([`config  /c does not exist: the defaults, read ${loadedAt}`]);
});

test("a missing config is told once, with its remedy and since when", () => {
  expect(of({ loadedAt, missing: missing("defaults"), warnings: [why, "another"] })).toEqual([
    `config   /c does not exist: the defaults, read ${loadedAt}`,
    `missing  ${why} (since 2026-01-01T00:00:00.000Z)`,
    "warning  another",
  ]);
  expect(of({ missing: missing("nothing") })[0]).toBe("config   /c none is in force yet");
});

test("a copy is told as one", () => {
  expect(of({ loadedAt, files: ["/c"], copiedAt: "2026-01-01T01:01:01.000Z", missing: missing("last-good") })[0]).toBe(
    `config   /c, the copy of 2026-01-01T01:01:01.000Z, read ${loadedAt}`,
  );
});

test("defaults that stay because the config is refused are not said to be there for want of one", () => {
  expect(of({ loadedAt, refused: ["/c:1: nonsense"] })).toEqual([
    `config   /c is refused: the defaults, read ${loadedAt}`,
    "refused  /c:1: nonsense",
  ]);
});
