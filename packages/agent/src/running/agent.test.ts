import { type Clock, systemClock } from "@ip-masq-agent/core";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createLifecycle } from "../lifecycle.ts";
import { createMetrics } from "../metrics/metrics.ts";
import { createRecord } from "../status/record.ts";
import { createAgent } from "./agent.ts";
import { optionsOf } from "./test-process.ts";

/** Both times are the test's. */
function madeUp(): Clock & { wallMs: number; monotonicMs: number } {
  const clock = {
    ...{ wallMs: Date.parse("2026-06-01T00:00:00Z"), monotonicMs: 5_000 },
    wall: () => clock.wallMs,
    monotonic: () => clock.monotonicMs,
    timer: () => ({ [Symbol.dispose]() {} }),
  };
  return clock;
}

const yearMs = 365 * 24 * 3_600_000;

test.each([-yearMs, yearMs])(
  "a wall clock that is set by %i ms changes neither the uptime nor the start",
  async (jump) => {
    const clock = madeUp();
    await using lifecycle = createLifecycle();
    const agent = createAgent({
      ...{ options: optionsOf(), enabled: ["IPv4"], lifecycle, clock, logger: pino({ enabled: false }) },
      metrics: createMetrics({ version: "", commit: "", nodeVersion: "" }, ["IPv4"], systemClock),
    });
    clock.wallMs += jump;
    clock.monotonicMs += 90_500;
    expect(agent.status()).toMatchObject({ uptimeSeconds: 90, startTime: "2026-06-01T00:00:00.000Z" });
  },
);

test.each([-yearMs, yearMs])("nor, by %i ms, how old a drift is", (jump) => {
  const clock = madeUp();
  const record = createRecord(["IPv4"], clock);
  record.onEvent({ type: "drift", backend: "nftables", family: "IPv4", at: clock.wall(), differences: [] });
  clock.wallMs += jump;
  clock.monotonicMs += 7_900;
  expect(record.drifts()).toMatchObject([{ at: "2026-06-01T00:00:00.000Z", ageSeconds: 7 }]);
});
