import { Counter, Gauge, type Registry } from "prom-client";
import { type ApiReason, apiReasons } from "../kubernetes/api-error.ts";

/** How it goes with the API server; series are there for what is asked of it only. */
export function apiMetrics(registry: Registry): {
  expect(resource: string, watched: boolean): void;
  watch(resource: string, up: boolean): void;
  failed(resource: string, reason: ApiReason): void;
} {
  const registers = [registry];
  const up = new Gauge({
    name: "ip_masq_agent_api_watch_up",
    help: "1 while the object is watched through the API, 0 while the last good or cached one is in use.",
    labelNames: ["resource"],
    registers,
  });
  const failures = new Counter({
    name: "ip_masq_agent_api_failures_total",
    help: "Requests to the API server that failed, by what was asked for and why.",
    labelNames: ["resource", "reason"],
    registers,
  });
  return {
    expect(resource, watched) {
      if (watched) up.set({ resource }, 0);
      for (const reason of apiReasons) failures.inc({ resource, reason }, 0);
    },
    watch: (resource, isUp) => up.set({ resource }, isUp ? 1 : 0),
    failed: (resource, reason) => failures.inc({ resource, reason }),
  };
}
