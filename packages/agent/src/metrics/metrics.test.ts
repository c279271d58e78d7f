import { readFileSync } from "node:fs";
import {
  BackendError,
  type Counters,
  driftKinds,
  failureReasons,
  type ReconcileEvent,
  systemClock,
} from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { createMetrics, type Metrics } from "./metrics.ts";
import { metricReference } from "./reference.ts";

/** The design's table, written out once more: names, types and labels are a contract with everybody's dashboards. */
const table: readonly (readonly [string, string, string])[] = [
  ["sync_duration_seconds", "histogram", "backend,ip_family,trigger"],
  ["syncs_total", "counter", "backend,ip_family,result"],
  ["sync_last_queued_timestamp_seconds", "gauge", "ip_family"],
  ["sync_last_success_timestamp_seconds", "gauge", "ip_family"],
  ["apply_failures_total", "counter", "backend,ip_family,reason"],
  ["rule_drift_detected_total", "counter", "backend,ip_family,kind"],
  ["rule_drift", "gauge", "backend,ip_family"],
  ["drift_repairs_total", "counter", "backend,ip_family,result"],
  ["drift_repair_duration_seconds", "histogram", "backend,ip_family"],
  ["drift_repair_seconds", "histogram", "backend,ip_family"],
  ["drift_conflicts_total", "counter", "backend,ip_family"],
  ["exempt_prefixes", "gauge", "ip_family"],
  ["exempts_everything", "gauge", "ip_family"],
  ["config_reloads_total", "counter", "result"],
  ["config_last_reload_successful", "gauge", ""],
  ["config_missing", "gauge", ""],
  ["config_last_reload_success_timestamp_seconds", "gauge", ""],
  ["config_info", "gauge", "hash"],
  ["config_warnings", "gauge", ""],
  ["backend_info", "gauge", "backend,variant,tool_version"],
  ["rules_protected", "gauge", "backend"],
  ["kernel_events_up", "gauge", "backend"],
  ["api_watch_up", "gauge", "resource"],
  ["api_failures_total", "counter", "resource,reason"],
  ["build_info", "gauge", "version,commit,node_version"],
  ["masqueraded_connections_total", "counter", "ip_family"],
  ["exempt_connections_total", "counter", "ip_family"],
  ["masqueraded_packets_total", "counter", "ip_family"],
  ["masqueraded_bytes_total", "counter", "ip_family"],
  ["exempt_packets_total", "counter", "ip_family"],
];

/** Old names that are served beside the new ones for one version, and the new names; undefined: nothing in their place. */
const deprecated: readonly (readonly [old: string, current: string | undefined])[] = [
  ["drift_repair_seconds", "drift_repair_duration_seconds"],
  ["masqueraded_packets_total", "masqueraded_connections_total"],
  ["exempt_packets_total", "exempt_connections_total"],
  ["masqueraded_bytes_total", undefined],
];

const build = { version: "1.2.3", commit: "abc", nodeVersion: "v24" };
const zero: Counters = { exemptPackets: 0, masqueradedPackets: 0, masqueradedBytes: 0 };

async function series(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [
      line.slice("ip_masq_agent_".length, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" "))),
    ]),
  );
}

function synced(rest: Partial<Extract<ReconcileEvent, { type: "synced" }>>): ReconcileEvent {
  const pass = {
    type: "synced",
    backend: "nftables",
    family: "IPv4",
    at: 5_000,
    trigger: "resync",
    result: "in_sync",
  } as const;
  return { ...pass, durationMs: 3, summary: "", readings: [], ...rest };
}

describe("the table", () => {
  test("names, types and labels are exactly the design's", () => {
    const metrics = createMetrics(build, ["IPv4"], systemClock);
    const found = metrics
      .describe()
      .map(({ name, type, labels }) => [name.replace("ip_masq_agent_", ""), type, labels.join(",")]);
    expect(found.toSorted()).toEqual(table.map((row) => [...row]).toSorted());
  });

  test("a deprecated metric says so first, and what to use in its place", () => {
    const described = createMetrics(build, ["IPv4"], systemClock).describe();
    const found = described
      .filter(({ help }) => help.startsWith("Deprecated:"))
      .map(({ name, help }) => [
        name.replace("ip_masq_agent_", ""),
        /the same as ip_masq_agent_(\w+)\./.exec(help)?.[1],
      ]);
    expect(found.toSorted()).toEqual(deprecated.map((row) => [...row]).toSorted());
  });

  test("docs/metrics.md is made from it", async () => {
    const page = readFileSync(new URL("../../../../docs/metrics.md", import.meta.url), "utf8");
    expect(page).toBe(await metricReference());
  });

  test("series of failures and drift exist from the start, at 0", async () => {
    const metrics = createMetrics(build, ["IPv4", "IPv6"], systemClock);
    metrics.expectBackend("nftables");
    const found = await series(metrics);
    for (const family of ["IPv4", "IPv6"]) {
      const labels = `backend="nftables",ip_family="${family}"`;
      for (const reason of failureReasons)
        expect(found.get(`apply_failures_total{${labels},reason="${reason}"}`)).toBe(0);
      for (const kind of driftKinds) expect(found.get(`rule_drift_detected_total{${labels},kind="${kind}"}`)).toBe(0);
      for (const result of ["in_sync", "applied", "failed"])
        expect(found.get(`syncs_total{${labels},result="${result}"}`)).toBe(0);
      expect(found.get(`rule_drift{${labels}}`)).toBe(0);
    }
    expect(found.get('config_reloads_total{result="failure"}')).toBe(0);
  });
});

describe("events", () => {
  const labels = 'backend="nftables",ip_family="IPv4"';

  test("drift is counted by kind, stands, and is repaired", async () => {
    const metrics = createMetrics(build, ["IPv4"], systemClock);
    const differences = [
      { kind: "missing", subject: "chain" },
      { kind: "missing", subject: "chain" },
      { kind: "jump", subject: "chain" },
    ] as const;
    metrics.onEvent({ type: "drift", backend: "nftables", family: "IPv4", at: 0, differences });
    const error = new BackendError({ reason: "lock", backend: "nftables", operation: "apply", message: "held" });
    metrics.onEvent(synced({ result: "failed", error, repair: { result: "failed", afterMs: 10 } }));
    let found = await series(metrics);
    expect(found.get(`rule_drift_detected_total{${labels},kind="missing"}`)).toBe(2);
    expect(found.get(`rule_drift{${labels}}`)).toBe(3);
    expect(found.get(`apply_failures_total{${labels},reason="lock"}`)).toBe(1);
    metrics.onEvent(synced({ result: "applied", repair: { result: "repaired", afterMs: 20 } }));
    found = await series(metrics);
    expect(found.get(`rule_drift{${labels}}`)).toBe(0);
    expect(found.get(`drift_repairs_total{${labels},result="failed"}`)).toBe(1);
    expect(found.get(`drift_repairs_total{${labels},result="repaired"}`)).toBe(1);
    for (const name of ["drift_repair_duration_seconds", "drift_repair_seconds"])
      expect(found.get(`${name}_sum{${labels}}`)).toBeCloseTo(0.02);
    expect(found.get('sync_last_success_timestamp_seconds{ip_family="IPv4"}')).toBe(5);
  });

  test("the kernel's counters go on where its own start anew", async () => {
    const metrics = createMetrics(build, ["IPv4"], systemClock);
    const count = (masqueradedPackets: number) => synced({ readings: [{ ...zero, masqueradedPackets }] });
    for (const reading of [10, 15, 15, 2, 4]) metrics.onEvent(count(reading));
    const found = await series(metrics);
    for (const name of ["masqueraded_connections_total", "masqueraded_packets_total"])
      expect(found.get(`${name}{ip_family="IPv4"}`)).toBe(19);
  });

  test("scrapes close to each other share one reading of the kernel, and a failing one keeps what was", async () => {
    let now = 0;
    let reads = 0;
    const metrics = createMetrics(build, ["IPv4"], { ...systemClock, monotonic: () => now });
    metrics.backendChosen("nftables", "", "1.0.6", async () =>
      ++reads > 1 ? undefined : { ...zero, exemptPackets: 7 },
    );
    await Promise.all([metrics.text(), metrics.text()]);
    now += 4_000;
    await metrics.text();
    expect(reads).toBe(1);
    now += 2_000;
    const found = await series(metrics);
    for (const name of ["exempt_connections_total", "exempt_packets_total"])
      expect(found.get(`${name}{ip_family="IPv4"}`)).toBe(7);
    expect(reads).toBe(2);
  });
});
