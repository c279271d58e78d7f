import type { Clock } from "@ip-masq-agent/core";
import type { Metrics } from "../metrics/metrics.ts";
import { textOf } from "../output.ts";
import type { Routes } from "./answer.ts";
import { sharePage } from "./shared-page.ts";

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

/**
 * How old a page of metrics may be, in milliseconds. To make one takes some milliseconds of CPU, so those who ask all the
 * time are given the same. On the node itself it is as good as new: what has just been told is on it.
 */
const pageAgeMs = { local: 50, network: 1_000 } as const;

/** /healthz, /readyz and /metrics. */
export function routesOf(metrics: Metrics, health: Health, clock: Clock): Routes {
  const plain = sharePage(async () => ({ text: await metrics.text(), contentType: metrics.contentType }), clock);
  const openMetrics = sharePage(() => metrics.openMetrics(), clock);
  return {
    "/metrics": async ({ local, acceptsOpenMetrics }) => {
      const page = acceptsOpenMetrics ? openMetrics : plain;
      return { status: 200, ...(await page(local ? pageAgeMs.local : pageAgeMs.network)) };
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
