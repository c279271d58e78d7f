import { afterEach, describe, expect, test } from "vitest";
import { createMemoryBackend } from "../memory-backend.ts";
import type { Loop, LoopOptions } from "./loop.ts";
import { dual, first, second, startLoop, type TestLoop } from "./test-loop.ts";

let running: Loop | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function start(options: Partial<LoopOptions> = {}): Promise<TestLoop> {
  const started = await startLoop(options);
  running = started.loop;
  return started;
}

describe("convergence", () => {
  test("writes once, then only looks, at every resync", async () => {
    const { loop, clock, backend, synced } = await start();
    loop.setPolicy(first, "start");
    await loop.idle();
    expect(loop.inForce()).toBe(true);
    for (let round = 0; round < 3; round++) {
      clock.advance(60_000);
      await loop.idle();
    }
    expect(synced()).toEqual(["start applied", "resync in_sync", "resync in_sync", "resync in_sync"]);
    expect(backend.kernel.written).toHaveLength(1);
  });

  test("requests during a pass become one pass after it, with the newest policy", async () => {
    const { loop, backend, synced } = await start({ minimumGapMs: 0 });
    loop.setPolicy(first, "start");
    loop.hint();
    loop.setPolicy(second, "config");
    loop.hint();
    await loop.idle();
    expect(synced()).toEqual(["start applied", "config applied"]);
    expect(backend.kernel.lines.get("IPv4")?.[0]).toBe("exempt 10.0.0.0/9");
  });

  test("a comparison that is asked for comes at once, of every family that is on, though a retry waits", async () => {
    const { loop, clock, backend, synced } = await start({ retryFirstMs: 30_000, minimumGapMs: 0 });
    backend.faults.fail("apply", "other", "IPv4");
    loop.setPolicy(dual, "start");
    await loop.idle();
    loop.compare();
    await loop.idle();
    clock.advance(0);
    expect(synced()).toEqual(["start failed", "hint applied"]);
    expect(synced("IPv6")).toEqual(["start applied", "hint in_sync"]);
  });

  test("passes keep the minimum gap", async () => {
    const { loop, clock, synced } = await start({ minimumGapMs: 100 });
    loop.setPolicy(first, "start");
    await loop.idle();
    loop.hint();
    clock.advance(99);
    await clock.settle();
    expect(synced()).toHaveLength(1);
    clock.advance(1);
    await loop.idle();
    expect(synced()).toEqual(["start applied", "hint in_sync"]);
  });

  test("a new resync interval counts from the last pass", async () => {
    const { loop, clock, synced } = await start();
    loop.setPolicy(first, "start");
    await loop.idle();
    clock.advance(5_000);
    loop.setResyncInterval(4_000);
    clock.advance(0);
    await loop.idle();
    expect(synced()).toEqual(["start applied", "resync in_sync"]);
  });
});

describe("drift", () => {
  test("is told, counted once, and repaired at the next pass", async () => {
    const { loop, clock, backend, events, synced } = await start();
    loop.setPolicy(first, "start");
    await loop.idle();
    backend.kernel.lines.set("IPv4", ["exempt 10.0.0.0/8"]);
    backend.faults.fail("apply", "rejected");
    clock.advance(60_000);
    await loop.idle();
    clock.advance(60_000);
    await loop.idle();
    expect(synced()).toEqual(["start applied", "resync failed", "retry applied"]);
    const drift = events.filter((event) => event.type === "drift");
    expect(drift.map((event) => event.differences.map(({ kind }) => kind))).toEqual([["missing"]]);
    const repairs = events.flatMap((event) => (event.type === "synced" && event.repair ? [event.repair.result] : []));
    expect(repairs).toEqual(["failed", "repaired"]);
  });

  test("a new policy is no drift; drift under a new policy is measured against the old one", async () => {
    const { loop, backend, events } = await start({ minimumGapMs: 0 });
    loop.setPolicy(first, "start");
    await loop.idle();
    loop.setPolicy(second, "config");
    await loop.idle();
    expect(events.some((event) => event.type === "drift")).toBe(false);
    const observe = backend.observe.bind(backend);
    backend.observe = async (family, signal) => {
      backend.kernel.lines.delete("IPv4");
      backend.observe = observe;
      return observe(family, signal);
    };
    loop.setPolicy(first, "config");
    await loop.idle();
    expect(events.find((event) => event.type === "drift")).toMatchObject({ differences: [{ kind: "table" }] });
    expect(backend.kernel.lines.get("IPv4")?.[0]).toBe("exempt 10.0.0.0/8");
  });

  test("a new policy is written before the kernel is looked at; a tool that refuses is no failure, the look decides", async () => {
    const { loop, backend, synced } = await start({ minimumGapMs: 0 });
    loop.setPolicy(first, "start");
    await loop.idle();
    const order: string[] = [];
    for (const name of ["observe", "apply"] as const) {
      const real = backend[name].bind(backend) as (...args: readonly unknown[]) => Promise<never>;
      backend[name] = async (...args: readonly unknown[]) => {
        order.push(name);
        return real(...args);
      };
    }
    loop.setPolicy(second, "config");
    await loop.idle();
    expect(order.splice(0)).toEqual(["apply", "observe"]);
    backend.faults.fail("apply", "rejected");
    loop.setPolicy(first, "config");
    await loop.idle();
    expect(order).toEqual(["apply", "observe", "apply", "observe"]);
    expect(synced()).toEqual(["start applied", "config applied", "config applied"]);
  });

  test("rules found at the start are adopted, not counted", async () => {
    const { loop, backend, events, synced } = await start();
    backend.kernel.lines.set("IPv4", ["something old"]);
    loop.setPolicy(first, "start");
    await loop.idle();
    expect(synced()).toEqual(["start applied"]);
    expect(events.some((event) => event.type === "drift")).toBe(false);
  });

  test("a write that does not hold is a failure, not a success", async () => {
    const { loop, backend, events } = await start();
    const apply = backend.apply.bind(backend);
    backend.apply = async (plan, signal) => {
      await apply(plan, signal);
      backend.kernel.lines.set("IPv4", ["tampered"]);
    };
    loop.setPolicy(first, "start");
    await loop.idle();
    expect(events.find((event) => event.type === "synced")).toMatchObject({
      result: "failed",
      error: { reason: "other" },
      undone: true,
    });
    expect(loop.inForce()).toBe(false);
    // The read after the write has found it, so it is known, and shown.
    expect(loop.standings()).toMatchObject([{ inForce: false, differences: 3 }]);
    expect(events.filter((event) => event.type === "drift")).toHaveLength(1);
  });
});

describe("failure", () => {
  test("retries back off exponentially up to the resync interval, with jitter", async () => {
    for (const [random, delays] of [
      [0, [125, 250, 500, 500]],
      [1, [250, 500, 1000, 1000]],
    ] as const) {
      const { loop, clock, backend, events } = await start({ resyncIntervalMs: 1000, random: () => random });
      for (let count = 0; count < 4; count++) backend.faults.fail("observe", "timeout", "IPv4");
      loop.setPolicy(first, "start");
      await loop.idle();
      for (let count = 0; count < 4; count++) {
        clock.advance(1000);
        await loop.idle();
      }
      const waits = events.flatMap((event) => (event.type === "synced" && event.retryInMs ? [event.retryInMs] : []));
      expect(waits).toEqual(delays);
      expect(loop.inForce()).toBe(true);
      await loop.stop();
    }
  });

  test("one family's failure leaves the other alone", async () => {
    const { loop, backend, synced } = await start();
    backend.faults.hang("apply", "IPv6");
    loop.setPolicy(dual, "start");
    await expect.poll(() => synced("IPv4")).toEqual(["start applied"]);
    expect(synced("IPv6")).toEqual([]);
    expect(loop.inForce()).toBe(false);
  });

  test("an unreadable kernel is never taken for an empty one", async () => {
    const { loop, clock, backend, events } = await start();
    loop.setPolicy(first, "start");
    await loop.idle();
    backend.faults.fail("observe", "other");
    clock.advance(60_000);
    await loop.idle();
    expect(backend.kernel.written).toHaveLength(1);
    expect(events.some((event) => event.type === "drift")).toBe(false);
  });
});

describe("families and backends that go", () => {
  test("a family switched off is removed once, and left alone after that", async () => {
    const { loop, clock, backend, events } = await start({ minimumGapMs: 0 });
    loop.setPolicy(dual, "start");
    await loop.idle();
    loop.setPolicy(first, "config");
    await loop.idle();
    expect(backend.kernel.lines.has("IPv6")).toBe(false);
    clock.advance(600_000);
    await loop.idle();
    const removed = events.filter((event) => event.type === "removed" && event.family === "IPv6");
    expect(removed).toHaveLength(1);
    expect(loop.inForce()).toBe(true);
  });

  test("the former backend's rules go after ours are in force, and again until that works", async () => {
    const former = createMemoryBackend(undefined, "former");
    former.kernel.lines.set("IPv4", ["old"]);
    former.faults.fail("cleanup", "lock", "IPv4");
    const { loop, clock, backend, events } = await start({ former: [former] });
    backend.faults.fail("apply", "rejected");
    loop.setPolicy(first, "start");
    await loop.idle();
    expect(former.kernel.lines.has("IPv4")).toBe(true);
    clock.advance(60_000);
    await loop.idle();
    expect(former.kernel.lines.has("IPv4")).toBe(true);
    clock.advance(60_000);
    await loop.idle();
    expect(former.kernel.lines.has("IPv4")).toBe(false);
    const order = events.flatMap((event) =>
      event.family === "IPv4" && event.type !== "queued" && event.type !== "drift"
        ? [`${event.type} ${event.backend}`]
        : [],
    );
    expect(order).toEqual(["synced memory", "synced memory", "removed former", "synced memory", "removed former"]);
  });
});

describe("stopping and liveness", () => {
  test("stop ends a hanging pass and starts nothing more; rules stay", async () => {
    const { loop, clock, backend, synced } = await start();
    loop.setPolicy(first, "start");
    await loop.idle();
    backend.faults.hang("observe");
    clock.advance(60_000);
    await clock.settle();
    await loop.stop();
    loop.hint();
    clock.advance(600_000);
    await clock.settle();
    expect(synced()).toEqual(["start applied"]);
    expect(backend.kernel.lines.has("IPv4")).toBe(true);
    expect(clock.pending()).toBe(0);
  });

  test("a hanging pass stalls the loop, a failing one does not", async () => {
    const { loop, clock, backend } = await start();
    backend.faults.fail("observe", "timeout");
    loop.setPolicy(first, "start");
    await loop.idle();
    expect(loop.stalledMs()).toBe(0);
    backend.faults.hang("observe");
    clock.advance(250);
    clock.advance(5_000);
    expect(loop.stalledMs()).toBeGreaterThanOrEqual(5_000);
  });

  test("a pass of many steps is alive as long as each of them ends; one that hangs in a step is not", async () => {
    const { loop, clock, backend, synced } = await start();
    let longest = 0;
    const pass = async (milliseconds: number) => {
      for (let second = 0; second < milliseconds; second += 1_000) {
        await clock.settle();
        clock.advance(1_000);
        longest = Math.max(longest, loop.stalledMs());
      }
    };
    const apply = backend.apply.bind(backend);
    backend.apply = async (plan, signal, onStep) => {
      for (let step = 0; step < 6; step++) {
        await pass(30_000);
        onStep?.();
      }
      await pass(30_000);
      await apply(plan, signal);
    };
    const observe = backend.observe.bind(backend);
    backend.observe = async (family, signal) => {
      await pass(30_000);
      return observe(family, signal);
    };
    loop.setPolicy(first, "start");
    await loop.idle();
    expect(synced()).toEqual(["start applied"]);
    expect(longest).toBe(30_000);
    backend.faults.hang("observe", "IPv4");
    loop.hint("IPv4");
    clock.advance(10);
    await pass(300_000);
    expect(longest).toBeGreaterThan(200_000);
  });

  test("a notification that a hanging pass does not read is shown after a second", async () => {
    const { loop, clock, backend } = await start();
    loop.setPolicy(first, "start");
    await loop.idle();
    clock.advance(1_000);
    backend.faults.hang("observe");
    loop.hint("IPv4");
    await clock.settle();
    clock.advance(900);
    expect(loop.inForce()).toBe(true);
    clock.advance(200);
    expect(loop.standings()).toMatchObject([{ inForce: false, unread: true, differences: 1 }]);
  });
});
