import type { Metrics } from "../metrics/metrics.ts";
import { textOf } from "../output.ts";
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
 * Longer than any pass can take by its own limits: three runs of a tool of 30 s each. A pass that only fails is no
 * reason to restart the agent (kubernetes#83263: restarts during slow restores made them slower).
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
      if (reason !== undefined) return { status: 503, body: textOf(`not ready: ${reason}`) };
      const remark = health.remark?.();
      return { status: 200, body: textOf(remark === undefined ? "ok" : `ok, but: ${remark}`) };
    },
  };
}
