import { countKinds, driftKinds, type Family, type ReconcileEvent, type Standing } from "@ip-masq-agent/core";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** 5 ms to 10 min: from a repair on a kernel's hint to one that waited for the resync and a retry. */
const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

const repairResults = ["repaired", "failed"];

/**
 * What other programs did to our rules, and how soon it was repaired. What is so now is asked for at each scrape: it is
 * what readiness and status show.
 */
export function driftMetrics(
  registry: Registry,
  standings: () => readonly Standing[],
): {
  expect(backend: string, families: readonly Family[]): void;
  onEvent(event: ReconcileEvent): void;
} {
  const registers = [registry];
  const detected = new Counter({
    name: "ip_masq_agent_rule_drift_detected_total",
    help: "Rules, elements, chains or jumps found other than they were last seen in force, by kind.",
    labelNames: ["backend", "ip_family", "kind"],
    registers,
  });
  const standing = new Gauge({
    name: "ip_masq_agent_rule_drift",
    help: "How many of them are known to differ now; at least 1 while a notified change has not been read.",
    labelNames: ["backend", "ip_family"],
    registers,
    collect() {
      for (const { backend, family, differences } of standings()) this.set({ backend, ip_family: family }, differences);
    },
  });
  const repairs = new Counter({
    name: "ip_masq_agent_drift_repairs_total",
    help: "Attempts to repair drift by their result.",
    labelNames: ["backend", "ip_family", "result"],
    registers,
  });
  const duration = new Histogram({
    name: "ip_masq_agent_drift_repair_duration_seconds",
    help: "Time from the first notice of drift to its repair.",
    labelNames: ["backend", "ip_family"],
    buckets: seconds,
    registers,
  });
  // Without "duration" the name reads like a time of day. It goes after 0.2.
  const deprecatedDuration = new Histogram({
    name: "ip_masq_agent_drift_repair_seconds",
    help: "Deprecated: the same as ip_masq_agent_drift_repair_duration_seconds.",
    labelNames: ["backend", "ip_family"],
    buckets: seconds,
    registers,
  });
  const durations = [duration, deprecatedDuration];
  const conflicts = new Counter({
    name: "ip_masq_agent_drift_conflicts_total",
    help: "Repairs that another program undid, while a conflict lasted.",
    labelNames: ["backend", "ip_family"],
    registers,
  });
  const lasting = new Gauge({
    name: "ip_masq_agent_drift_conflict",
    help: "1 while a conflict lasts: another program undoes our repairs again and again.",
    labelNames: ["backend", "ip_family"],
    registers,
    collect() {
      for (const { backend, family, conflict } of standings())
        this.set({ backend, ip_family: family }, conflict === undefined ? 0 : 1);
    },
  });
  return {
    expect(backend, families) {
      for (const ip_family of families) {
        for (const kind of driftKinds) detected.inc({ backend, ip_family, kind }, 0);
        for (const result of repairResults) repairs.inc({ backend, ip_family, result }, 0);
        standing.set({ backend, ip_family }, 0);
        conflicts.inc({ backend, ip_family }, 0);
        lasting.set({ backend, ip_family }, 0);
        for (const histogram of durations) histogram.zero({ backend, ip_family });
      }
    },
    onEvent(event) {
      const labels = { backend: event.backend, ip_family: event.family };
      if (event.type === "drift") {
        for (const [kind, count] of countKinds(event.differences)) detected.inc({ ...labels, kind }, count);
      }
      if (event.type === "conflict" && event.state !== "over") conflicts.inc(labels);
      if (event.type !== "synced") return;
      if (event.repair) repairs.inc({ ...labels, result: event.repair.result });
      if (event.repair?.result === "repaired") {
        for (const histogram of durations) histogram.observe(labels, event.repair.afterMs / 1000);
      }
    },
  };
}
