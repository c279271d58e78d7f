import type { Metrics } from "../metrics/metrics.ts";
import type { Routes } from "./server.ts";

/** What the probes ask of the agent. */
export interface Health {
  /** Milliseconds for which the loop owes something; see `Loop.stalledMs`. */
  stalledMs(): number;
  /** Why no valid policy is in force and observed so; undefined: one is. */
  notReady(): string | undefined;
  /** What to say of an agent that is ready all the same; undefined: nothing. */
  remark?(): string | undefined;
}

/**
 * Longer than any step of a pass can take by its own limits: an observation, a transaction or a cleanup is four runs of a
 * tool at most, of 30 s each. A pass of many steps tells of each (`Loop.stalledMs`), and one that only fails is no reason
 * to restart the agent (kubernetes#83263: restarts during slow restores made them slower).
 */
const stalledLimitMs = 180_000;

/** /healthz, /readyz and /metrics. */
export function routesOf(metrics: Metrics, health: Health): Routes {
  return {
    "/metrics": async ({ acceptsOpenMetrics }) => {
      if (!acceptsOpenMetrics) return { status: 200, body: await metrics.text(), contentType: metrics.contentType };
      const { text, contentType } = await metrics.openMetrics();
      return { status: 200, body: text, contentType };
    },
    "/healthz": () => {
      const stalled = health.stalledMs();
      if (stalled <= stalledLimitMs) return { status: 200, body: "ok\n" };
      return { status: 503, body: `the reconcile loop has made no progress for ${Math.round(stalled / 1000)} s\n` };
    },
    "/readyz": () => {
      const reason = health.notReady();
      if (reason !== undefined) return { status: 503, body: `not ready: ${reason}\n` };
      const remark = health.remark?.();
      return { status: 200, body: remark === undefined ? "ok\n" : `ok, but: ${remark}\n` };
    },
  };
}
