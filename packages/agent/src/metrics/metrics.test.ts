import { readFileSync } from "node:fs";
import {
  BackendError,
  type Counters,
  driftKinds,
  type Family,
  failureReasons,
  type Reading,
  type ReconcileEvent,
  type Standing,
  systemClock,
} from "@ip-masq-agent/core";
import { describe, expect, onTestFinished, test, vi } from "vitest";
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
  ["drift_conflict", "gauge", "backend,ip_family"],
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
  ["kernel_events_resident_bytes", "gauge", "backend"],
  ["api_watch_up", "gauge", "resource"],
  ["api_failures_total", "counter", "resource,reason"],
  ["build_info", "gauge", "version,commit,node_version"],
  ["masqueraded_connections_total", "counter", "ip_family"],
  ["exempt_connections_total", "counter", "ip_family"],
  ["masqueraded_packets_total", "counter", "ip_family"],
  ["masqueraded_bytes_total", "counter", "ip_family"],
  ["exempt_packets_total", "counter", "ip_family"],
  ["kernel_counters_age_seconds", "gauge", "ip_family"],
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
      expect(found.get(`drift_conflict{${labels}}`)).toBe(0);
    }
    expect(found.get('config_reloads_total{result="failure"}')).toBe(0);
  });
});

describe("events", () => {
  const labels = 'backend="nftables",ip_family="IPv4"';

  test("drift is counted by kind, stands, and is repaired", async () => {
    const metrics = createMetrics(build, ["IPv4"], systemClock);
    let known: Partial<Standing> = { differences: 3 };
    const standing = { backend: "nftables", family: "IPv4", inForce: true, differences: 0, unread: false } as const;
    metrics.rulesKnownBy(() => [{ ...standing, ...known }]);
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
    known = { conflict: { since: 0, undone: 5 } };
    found = await series(metrics);
    expect(found.get(`rule_drift{${labels}}`)).toBe(0);
    expect(found.get(`drift_conflict{${labels}}`)).toBe(1);
    expect(found.get(`drift_repairs_total{${labels},result="failed"}`)).toBe(1);
    expect(found.get(`drift_repairs_total{${labels},result="repaired"}`)).toBe(1);
    for (const name of ["drift_repair_duration_seconds", "drift_repair_seconds"])
      expect(found.get(`${name}_sum{${labels}}`)).toBeCloseTo(0.02);
    expect(found.get('sync_last_success_timestamp_seconds{ip_family="IPv4"}')).toBe(5);
    // OpenMetrics has the same, asked for anew.
    known = {};
    expect((await metrics.openMetrics()).text).toContain(`ip_masq_agent_drift_conflict{${labels}} 0\n`);
  });

  test("what was written and not read back is no success", async () => {
    const metrics = createMetrics(build, ["IPv4"], systemClock);
    metrics.onEvent(synced({ result: "applied", unverified: true }));
    const found = await series(metrics);
    expect(found.get(`syncs_total{${labels},result="applied"}`)).toBe(1);
    expect(found.get('sync_last_success_timestamp_seconds{ip_family="IPv4"}')).toBeUndefined();
  });
});

describe("the kernel's counters", () => {
  const masqueraded = 'masqueraded_connections_total{ip_family="IPv4"}';
  const ageOf = (family: string) => `kernel_counters_age_seconds{ip_family="${family}"}`;
  const reading = (masqueradedPackets: number, startedAt = 0, endedAt = startedAt): Reading => ({
    ...{ counters: { ...zero, masqueradedPackets }, startedAt, endedAt },
  });

  function atRest() {
    const clock = { now: 0 };
    const metrics = createMetrics(build, ["IPv4"], { ...systemClock, monotonic: () => clock.now });
    return { clock, metrics };
  }

  test("go on where the kernel's own start anew", async () => {
    const { metrics } = atRest();
    for (const [at, count] of [10, 15, 15, 2, 4].entries())
      metrics.onEvent(synced({ readings: [reading(count, at * 10, at * 10 + 5)] }));
    const found = await series(metrics);
    for (const name of ["masqueraded_connections_total", "masqueraded_packets_total"])
      expect(found.get(`${name}{ip_family="IPv4"}`)).toBe(19);
  });

  test.each([
    ["began before the last one taken ended", [reading(1_000_005, 10, 20), reading(1_000_003, 5, 25)], 1_000_005],
    // Began later, saw the kernel earlier: by their beginnings alone these two would be in order.
    ["overlaps the last one taken", [reading(1_000_005, 10, 20), reading(1_000_003, 11, 21)], 1_000_005],
    ["saw the rules before a rewrite and ended after it", [reading(3, 30, 40), reading(1_000_000, 20, 45)], 3],
    ["began when the last one had ended", [reading(1_000_005, 10, 20), reading(2, 20, 30)], 1_000_007],
  ])("a reading that %s is counted once at most", async (_, readings, total) => {
    const { metrics } = atRest();
    for (const one of readings) metrics.onEvent(synced({ readings: [one] }));
    expect((await series(metrics)).get(masqueraded)).toBe(total);
  });

  test("a scrape's reading that comes after a newer one of the loop is not counted twice", async () => {
    const { clock, metrics } = atRest();
    const slow = Promise.withResolvers<Reading>();
    metrics.backendChosen("nftables", "", "1.0.6", () => slow.promise);
    const page = series(metrics);
    clock.now = 500;
    metrics.onEvent(synced({ readings: [reading(1_000_005, 300, 310)] }));
    slow.resolve(reading(1_000_003, 0, 500));
    expect((await page).get(masqueraded)).toBe(1_000_005);
  });

  test("are read once for scrapes close to each other, and a failing reading keeps what was", async () => {
    const { clock, metrics } = atRest();
    let reads = 0;
    metrics.backendChosen("nftables", "", "1.0.6", async () => (++reads > 1 ? undefined : reading(7, clock.now)));
    await Promise.all([metrics.text(), metrics.text()]);
    clock.now += 4_000;
    await metrics.text();
    expect(reads).toBe(1);
    clock.now += 2_000;
    const found = await series(metrics);
    expect(found.get(masqueraded)).toBe(7);
    expect(found.get(ageOf("IPv4"))).toBe(6);
    expect(reads).toBe(2);
  });

  test("of a reader that hangs: the scrape waits a second, the next ones not at all, and none starts another", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const metrics = createMetrics(build, ["IPv4", "IPv6"], systemClock);
    const reads: Family[] = [];
    const hanging = Promise.withResolvers<undefined>();
    metrics.backendChosen("nftables", "", "1.0.6", (family) => {
      reads.push(family);
      return family === "IPv4" ? hanging.promise : Promise.resolve(reading(7, systemClock.monotonic()));
    });
    metrics.onEvent(synced({ readings: [reading(7, systemClock.monotonic())] }));
    let served: ReadonlyMap<string, number> | undefined;
    void series(metrics).then((page) => {
      served = page;
    });
    await vi.advanceTimersByTimeAsync(999);
    expect(served).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(served?.get(masqueraded)).toBe(7);
    expect(served?.get(ageOf("IPv4"))).toBe(1);
    await vi.advanceTimersByTimeAsync(5_000);
    const later = await series(metrics);
    expect(later.get(ageOf("IPv4"))).toBe(6);
    // IPv6 has been read again meanwhile, although IPv4 hangs.
    expect(later.get(ageOf("IPv6"))).toBe(0);
    expect(reads).toEqual(["IPv4", "IPv6", "IPv6"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
