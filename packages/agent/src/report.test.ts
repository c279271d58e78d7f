import { BackendError, type ReconcileEvent } from "@ip-masq-agent/core";
import { pino } from "pino";
import { expect, test } from "vitest";
import { textLine } from "./log.ts";
import { createReport } from "./report.ts";

function lines(events: readonly ReconcileEvent[]): readonly string[] {
  const told: string[] = [];
  const logger = pino(
    { level: "info", base: null, formatters: { level: (level) => ({ level }) } },
    { write: (line: string) => told.push(line) },
  );
  for (const event of events) createdOnce(logger)(event);
  return told.map((line) => {
    const { level, msg } = JSON.parse(line) as { level: string; msg: string };
    return `${level}: ${msg}`;
  });
}

let report: { readonly logger: unknown; readonly tell: (event: ReconcileEvent) => void } | undefined;
function createdOnce(logger: Parameters<typeof createReport>[0]): (event: ReconcileEvent) => void {
  if (report?.logger !== logger) report = { logger, tell: createReport(logger) };
  return report.tell;
}

const at = { backend: "nftables", family: "IPv4", at: 0 } as const;
const pass = { ...at, type: "synced", trigger: "resync", durationMs: 1, summary: "", readings: [] } as const;
const failed = (reason: "lock" | "timeout"): ReconcileEvent => ({
  ...{ ...pass, result: "failed", retryInMs: 100 },
  error: new BackendError({ reason, backend: "nftables", operation: "apply", message: reason }),
});

test("one line for each change of state, and none for a state that goes on", () => {
  expect(
    lines([
      { ...pass, trigger: "start", result: "applied", summary: "rewrites" },
      { ...pass, result: "in_sync" },
      { ...pass, result: "in_sync" },
      failed("lock"),
      failed("lock"),
      failed("timeout"),
      { ...pass, result: "in_sync" },
      { ...at, type: "drift", differences: [{ kind: "missing", subject: "chain" }] },
      { ...pass, result: "applied", repair: { result: "repaired", afterMs: 5 } },
      { ...at, type: "removed", what: [] },
      { ...at, type: "removed", what: ["table"] },
    ]),
  ).toEqual([
    "info: rules written, and observed in force",
    "error: reconcile failed; the rules in the kernel stay as they are",
    "error: reconcile failed; the rules in the kernel stay as they are",
    "info: rules in force, nothing to write",
    "warn: drift: the kernel's rules are not what was in force",
    "info: drift repaired",
    "info: old rules removed",
  ]);
});

test("a conflict is one line when it begins and one when it is over, whatever happens in it", () => {
  const conflict = { ...at, type: "conflict", since: 0, undone: 5, by: { process: "evil", pid: 7 } } as const;
  const undone = { ...failed("lock"), undone: true } as ReconcileEvent;
  const each: readonly ReconcileEvent[] = [
    { ...at, type: "drift", differences: [{ kind: "missing", subject: "chain" }] },
    { ...pass, trigger: "hint", result: "applied", unverified: true, repair: { result: "failed", afterMs: 5 } },
    { ...pass, trigger: "hint", result: "applied", unverified: true },
    { ...pass, result: "in_sync", repair: { result: "repaired", afterMs: 5 } },
    { ...conflict, state: "goes on" },
    undone,
    failed("timeout"),
    { ...pass, result: "in_sync" },
  ];
  expect(
    lines([
      undone,
      { ...conflict, state: "begins" },
      ...Array.from({ length: 50 }, () => each).flat(),
      { ...conflict, state: "over" },
      { ...pass, result: "in_sync" },
    ]),
  ).toEqual([
    "warn: rules written, and changed by another program before they could be read back",
    "warn: conflict: another program undoes our repairs; they go on, about one write a second at most; find it and stop it",
    "error: reconcile failed; the rules in the kernel stay as they are",
    "info: conflict over: the rules stand again",
  ]);
});

test("old rules that cannot be removed are told of once for each reason, and again after they could be", () => {
  const refused = (message: string): ReconcileEvent => ({
    ...{ ...at, type: "removed", what: [] },
    error: new BackendError({ reason: "other", backend: "nftables", operation: "cleanup", message }),
  });
  const told = lines([
    ...[refused("a"), refused("a"), refused("b"), refused("b")],
    { ...refused("b"), family: "IPv6" },
    { ...at, type: "removed", what: [] },
    refused("b"),
  ]);
  expect(told).toEqual(Array.from({ length: 4 }, () => "warn: old rules could not be removed"));
});

test("the text form quotes what needs it", () => {
  const line = textLine(
    '{"time":"2026-01-01T00:00:00.000Z","level":"warn","msg":"drift found","kinds":"1 missing","count":3,"name":"a"}',
  );
  expect(line).toBe('2026-01-01T00:00:00.000Z WARN  drift found kinds="1 missing" count=3 name=a');
});
