import { afterEach, describe, expect, test } from "vitest";
import { createConflictGuard } from "./conflict.ts";
import { first, startLoop, type TestLoop } from "./test-loop.ts";

describe("the guard", () => {
  const guard = () => createConflictGuard({ capMs: () => 60_000, random: () => 1 });

  test("different tamperings, or the same one now and then, are no conflict", () => {
    const one = guard();
    for (let at = 0; at < 100; at++) expect(one.repaired(`key ${at}`, at * 100)).toBe(0);
    const other = guard();
    for (let at = 0; at < 100; at++) expect(other.repaired("same", at * 20_000)).toBe(0);
  });

  test("the fifth repair of the same within a minute is one, and each wait is twice the last, up to the cap", () => {
    const one = guard();
    const holds = Array.from({ length: 12 }, (_, at) => one.repaired("same", at * 1_000));
    expect(holds).toEqual([0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(one.undone()).toBe(8);
  });

  test("ever different drift at a pace of two a second is one too", () => {
    const one = guard();
    const holds = Array.from({ length: 130 }, (_, at) => one.repaired(`key ${at}`, at * 10));
    expect(holds.findIndex((hold) => hold > 0)).toBe(119);
  });

  test("it is over when the rules stood for a minute and twice the wait, and is told once", () => {
    const one = guard();
    for (let at = 0; at < 5; at++) one.repaired("same", at);
    expect(one.calm(30_000)).toBe(false);
    expect(one.calm(61_000)).toBe(true);
    expect(one.calm(70_000)).toBe(false);
    expect(one.undone()).toBe(0);
  });
});

describe("the loop against a program that undoes each repair at once", () => {
  let fight: TestLoop;
  afterEach(() => fight.loop.stop());

  async function undoFor(milliseconds: number): Promise<void> {
    const { loop, clock, backend } = fight;
    for (let passed = 0; passed < milliseconds; passed += 100) {
      backend.kernel.lines.set("IPv4", ["foreign"]);
      loop.hint("IPv4", { process: "other", pid: 7 });
      clock.advance(100);
      for (let turn = 0; turn < 5; turn++) await clock.settle();
    }
  }

  test("repairs at the pace of the backoff, tells it once, and says by whom", async () => {
    fight = await startLoop({ resyncIntervalMs: 600_000, random: () => 0.999 });
    fight.loop.setPolicy(first, "start");
    await fight.loop.idle();
    await undoFor(120_000);
    const conflicts = fight.events.filter((event) => event.type === "conflict");
    expect(conflicts.map(({ state }) => state)).toEqual(["begins", ...conflicts.slice(1).map(() => "goes on")]);
    expect(conflicts[0]).toMatchObject({ by: { process: "other", pid: 7 } });
    // 5 at once, then after about 1, 2, 4, … s: 1200 acts of tampering were answered a dozen times.
    expect(fight.synced().filter((pass) => pass === "hint applied").length).toBeLessThan(13);
    expect(conflicts.length).toBeGreaterThan(4);
  });

  test("a new config does not wait, and the end of the conflict is told", async () => {
    fight = await startLoop({ resyncIntervalMs: 60_000, random: () => 0 });
    fight.loop.setPolicy(first, "start");
    await fight.loop.idle();
    await undoFor(20_000);
    const before = fight.backend.kernel.written.length;
    fight.loop.setPolicy(first, "config");
    await fight.clock.settle();
    await fight.clock.settle();
    expect(fight.backend.kernel.written.length).toBeGreaterThan(before);
    for (let minute = 0; minute < 5; minute++) {
      fight.clock.advance(60_000);
      for (let turn = 0; turn < 5; turn++) await fight.clock.settle();
    }
    expect(fight.events.filter((event) => event.type === "conflict").at(-1)).toMatchObject({ state: "over" });
  });
});

describe("looks between resyncs", () => {
  test("come at their interval, or later where looking takes more than 1 % of the time", async () => {
    const poll = await startLoop({ driftCheckIntervalMs: 5_000 });
    poll.loop.setPolicy(first, "start");
    await poll.loop.idle();
    for (let round = 0; round < 3; round++) {
      poll.clock.advance(5_000);
      await poll.loop.idle();
    }
    expect(poll.synced()).toEqual(["start applied", "poll in_sync", "poll in_sync", "poll in_sync"]);
    poll.loop.setDriftCheckInterval(undefined);
    poll.clock.advance(59_999);
    await poll.clock.settle();
    expect(poll.synced()).toHaveLength(4);
    poll.clock.advance(1);
    await poll.loop.idle();
    expect(poll.synced().at(-1)).toBe("resync in_sync");
    await poll.loop.stop();
  });

  test("a look of 200 ms is made every 20 s", async () => {
    const poll = await startLoop({ driftCheckIntervalMs: 5_000 });
    const observe = poll.backend.observe;
    Object.assign(poll.backend, {
      observe: async (...words: Parameters<typeof observe>) => {
        const seen = await observe(...words);
        poll.clock.advance(200);
        return seen;
      },
    });
    poll.loop.setPolicy(first, "start");
    await poll.loop.idle();
    poll.clock.advance(19_999);
    await poll.clock.settle();
    expect(poll.synced()).toHaveLength(1);
    poll.clock.advance(1);
    await poll.loop.idle();
    expect(poll.synced().at(-1)).toBe("poll in_sync");
    await poll.loop.stop();
  });
});
