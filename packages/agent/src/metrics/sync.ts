import { type BackendError, type Family, failureReasons, type ReconcileEvent, syncResults } from "@ip-masq-agent/core";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** 1 ms doubling 15 times: to 16.4 s. */
const seconds = Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index);

/** Passes of the loop: how many, how long, how they ended. */
export function syncMetrics(registry: Registry): {
  expect(backend: string, families: readonly Family[]): void;
  onEvent(event: ReconcileEvent): void;
  failed(error: BackendError, families: readonly Family[]): void;
} {
  const registers = [registry];
  const duration = new Histogram({
    name: "ip_masq_agent_sync_duration_seconds",
    help: "Duration of a reconcile pass of one family, from the first look to the last.",
    labelNames: ["backend", "ip_family", "trigger"],
    buckets: seconds,
    registers,
  });
  const syncs = new Counter({
    name: "ip_masq_agent_syncs_total",
    help: "Reconcile passes by their result.",
    labelNames: ["backend", "ip_family", "result"],
    registers,
  });
  const queued = new Gauge({
    name: "ip_masq_agent_sync_last_queued_timestamp_seconds",
    help: "Unix time at which a pass was last asked for.",
    labelNames: ["ip_family"],
    registers,
  });
  const success = new Gauge({
    name: "ip_masq_agent_sync_last_success_timestamp_seconds",
    help: "Unix time at which a pass last ended with the policy in force and observed so.",
    labelNames: ["ip_family"],
    registers,
  });
  const failures = new Counter({
    name: "ip_masq_agent_apply_failures_total",
    help: "Failed passes, and failed attempts to start a backend, by reason.",
    labelNames: ["backend", "ip_family", "reason"],
    registers,
  });
  return {
    /** Series of failures are there from the start, at 0: `increase()` cannot see a series being born at 1. */
    expect(backend, families) {
      for (const ip_family of families) {
        for (const reason of failureReasons) failures.inc({ backend, ip_family, reason }, 0);
        for (const result of syncResults) syncs.inc({ backend, ip_family, result }, 0);
      }
    },
    failed(error, families) {
      for (const ip_family of families) failures.inc({ backend: error.backend, ip_family, reason: error.reason });
    },
    onEvent(event) {
      const labels = { backend: event.backend, ip_family: event.family };
      if (event.type === "queued") queued.set({ ip_family: event.family }, event.at / 1000);
      if (event.type === "removed" && event.error) failures.inc({ ...labels, reason: event.error.reason });
      if (event.type !== "synced") return;
      duration.observe({ ...labels, trigger: event.trigger }, event.durationMs / 1000);
      syncs.inc({ ...labels, result: event.result });
      if (event.error) failures.inc({ ...labels, reason: event.error.reason });
      else if (!event.unverified) success.set({ ip_family: event.family }, event.at / 1000);
    },
  };
}
