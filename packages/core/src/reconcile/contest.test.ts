import { afterEach, describe, expect, test } from "vitest";
import { type Contest, foreign, startContest } from "./test-contest.ts";

const minute = 60_000;
/** Repairs at once, before the pace sets in: see track.ts. */
const burst = 10;

let contest: Contest;
afterEach(() => contest.loop.stop());

describe("another program undoes each write", () => {
  test("after the read that shows it in force, for ten minutes: one write a second, wrong for a second at most", async () => {
    contest = await startContest();
    await contest.run(10 * minute, 100, () => contest.tamper(foreign));
    expect(contest.calls.apply).toBeGreaterThan(590);
    expect(contest.calls.apply).toBeLessThanOrEqual(600 + burst);
    expect(contest.wrong().longestMs).toBeLessThanOrEqual(1_100);
    // In a rapid conflict what is written is read by the next pass: one look and one write a second.
    expect(contest.calls.observe).toBeLessThanOrEqual(600 + 2 * burst);
    const conflicts = contest.conflicts();
    expect(conflicts.map(({ state }) => state)).toEqual(["begins", ...conflicts.slice(1).map(() => "goes on")]);
    expect(conflicts[0]).toMatchObject({ by: { process: "other", pid: 7 } });
    expect(contest.loop.standings()[0]?.conflict).toMatchObject({ undone: expect.any(Number), by: { pid: 7 } });
  });

  test("before that read, for a minute: counted as undone, told as a conflict, and one write a second", async () => {
    contest = await startContest();
    contest.backend.faults.afterApply(() => contest.tamper(foreign));
    contest.tamper(foreign);
    await contest.run(minute, 100);
    expect(contest.calls.apply).toBeGreaterThan(55);
    expect(contest.calls.apply).toBeLessThanOrEqual(60 + burst);
    expect(contest.conflicts()[0]).toMatchObject({ state: "begins", undone: 5, by: { pid: 7 } });
    expect(contest.loop.standings()[0]?.conflict?.undone).toBeGreaterThan(55);
    contest.backend.faults.clear();
    await contest.run(7_000, 100);
    expect(contest.loop.inForce()).toBe(true);
  });

  test("before that read, without a notification: the same", async () => {
    contest = await startContest();
    contest.backend.faults.afterApply(() => contest.tamper(foreign, false));
    contest.tamper(foreign);
    await contest.run(minute, 100);
    expect(contest.calls.apply).toBeGreaterThan(55);
    expect(contest.calls.apply).toBeLessThanOrEqual(60 + burst);
    expect(contest.conflicts()[0]).toMatchObject({ state: "begins", undone: 5 });
  });

  test("between look and write, so that the tool refuses: repaired in the same pass by a second plan", async () => {
    contest = await startContest();
    const { backend, events } = contest;
    contest.tamper(foreign);
    backend.faults.beforeApply(() => backend.kernel.lines.set("IPv4", ["other"]));
    backend.faults.fail("apply", "rejected");
    await contest.run(100, 100);
    expect(contest.calls).toEqual({ observe: 3, apply: 2 });
    expect(contest.loop.inForce()).toBe(true);
    expect(events.filter((event) => event.type === "drift")).toHaveLength(2);
    expect(contest.synced().at(-1)).toBe("hint applied");
  });

  test("between look and write, always: no backoff, but the pace, and a conflict", async () => {
    contest = await startContest();
    const { backend, clock } = contest;
    backend.faults.always("apply", "rejected");
    contest.tamper(foreign);
    await contest.run(minute, 100, (at) => {
      backend.faults.beforeApply(() => backend.kernel.lines.set("IPv4", [`other ${clock.monotonic()} ${at}`]));
      contest.tamper([`another ${at}`]);
    });
    expect(contest.calls.apply).toBeGreaterThan(2 * 55);
    expect(contest.calls.apply).toBeLessThanOrEqual(2 * (60 + burst));
    expect(contest.conflicts()[0]).toMatchObject({ state: "begins" });
    backend.faults.clear();
    await contest.run(7_000, 100);
    expect(contest.loop.inForce()).toBe(true);
  });
});

describe("a periodic writer", () => {
  test("one flush every 10 s for ten minutes is repaired at once each time, told as a conflict, and when it is over", async () => {
    contest = await startContest();
    const started = contest.clock.wall();
    await contest.run(10 * minute, 100, (at) => {
      if (at % 10_000 === 0) contest.tamper(undefined);
    });
    expect(contest.wrong().totalMs).toBe(0);
    expect(contest.calls.apply).toBe(60);
    const [begins] = contest.conflicts();
    expect(begins).toMatchObject({ state: "begins", at: started + 40_000, since: started, undone: 5 });
    expect(contest.loop.standings()[0]?.conflict?.undone).toBe(60);
    expect(contest.loop.inForce()).toBe(true);
    await contest.run(2 * minute, 100);
    const over = contest.conflicts().filter(({ state }) => state === "over");
    // The last flush was at 9 min 50 s.
    expect(over).toEqual([
      expect.objectContaining({ at: started + 590_000 + minute, undone: 60, by: expect.anything() }),
    ]);
    expect(contest.loop.standings()[0]).not.toHaveProperty("conflict");
  });

  test("one flush every minute is told within five", async () => {
    contest = await startContest();
    const started = contest.clock.wall();
    await contest.run(6 * minute, 500, (at) => {
      if (at % minute === 0) contest.tamper(undefined);
    });
    expect(contest.conflicts()[0]?.at).toBe(started + 4 * minute);
    expect(contest.wrong().totalMs).toBe(0);
  });

  test("harmless drift every 2 s for an hour does not put off the repair of harmful drift", async () => {
    contest = await startContest();
    const lines = contest.backend.kernel.lines.get("IPv4") ?? [];
    await contest.run(60 * minute, 500, (at) => {
      if (at % 2_000 === 0) contest.tamper([...lines, "extra"]);
      if (at % 600_000 === 500) contest.tamper(undefined);
    });
    expect(contest.wrong().totalMs).toBe(0);
  });

  test("a flush that nobody tells of (iptables-legacy) is found by looking, and within a second once it is a conflict", async () => {
    contest = await startContest({ driftCheckIntervalMs: 5_000 });
    const writer = (at: number) => {
      if (at % 10_000 === 0) contest.tamper(undefined, false);
    };
    await contest.run(minute, 100, writer);
    expect(contest.conflicts()[0]).toMatchObject({ state: "begins" });
    const before = contest.wrong().totalMs;
    await contest.run(10 * minute, 100, writer);
    expect((contest.wrong().totalMs - before) / 60).toBeLessThanOrEqual(1_000);
    const looks = contest.calls.observe;
    await contest.run(minute, 100);
    expect(contest.calls.observe - looks).toBeLessThanOrEqual(61);
  });

  test("one act, or four, is none", async () => {
    contest = await startContest();
    await contest.run(20 * minute, 1_000, (at) => {
      if (at < 4_000) contest.tamper(undefined);
    });
    expect(contest.conflicts()).toEqual([]);
    expect(contest.calls.apply).toBe(4);
  });
});

describe("families and notifications", () => {
  test("a difference is shown from the moment at which it is found, while the repair goes on", async () => {
    const seen: unknown[] = [];
    contest = await startContest({
      onEvent(event) {
        if (event.type === "drift") seen.push(contest.loop.standings()[0]);
      },
    });
    contest.tamper(foreign);
    await contest.run(100, 100);
    expect(seen).toMatchObject([{ inForce: false, differences: 3 }]);
  });

  test("a conflict of one family leaves the other alone", async () => {
    contest = await startContest({ both: true });
    const six = contest.backend.kernel.lines.get("IPv6");
    await contest.run(2 * minute, 100, (at) => {
      contest.tamper(foreign);
      if (at === minute) contest.tamper(foreign, true, "IPv6");
    });
    expect(contest.backend.kernel.lines.get("IPv6")).toEqual(six);
    expect(contest.conflicts().every(({ family: name }) => name === "IPv4")).toBe(true);
    const [four, other] = contest.loop.standings();
    expect(four).toHaveProperty("conflict");
    expect(other).toMatchObject({ family: "IPv6", inForce: true, differences: 0 });
    expect(contest.synced("IPv6").filter((pass) => pass === "hint applied")).toHaveLength(1);
  });

  test("10,000 notifications a second that nothing stands behind are a pass a second, and no readiness until they end", async () => {
    contest = await startContest();
    const queued = () => contest.events.filter(({ type }) => type === "queued").length;
    const before = queued();
    await contest.run(20_000, 10, () => {
      for (let count = 0; count < 100; count++) contest.loop.hint("IPv4", { process: "other", pid: 7 });
    });
    expect(contest.calls.observe).toBeLessThanOrEqual(20 + burst + 1);
    expect(queued() - before).toBeLessThanOrEqual(20 + burst + 1);
    expect(contest.calls.apply).toBe(0);
    expect(contest.loop.standings()[0]).toMatchObject({ inForce: false, unread: true, differences: 1 });
    await contest.run(8_000, 100);
    expect(contest.loop.inForce()).toBe(true);
  });

  test("readiness does not come and go with each repair of a conflict, or each pass of a flood", async () => {
    contest = await startContest();
    const flips = { conflict: 0, flood: 0 };
    let ready = true;
    const watch = (name: keyof typeof flips) => {
      const now = contest.loop.standings().every(({ inForce, conflict }) => inForce && conflict === undefined);
      if (now !== ready) flips[name]++;
      ready = now;
    };
    await contest.run(2 * minute, 50, (at) => {
      watch("conflict");
      if (at < minute) contest.tamper(foreign);
    });
    await contest.run(minute, 50);
    expect(contest.loop.standings()[0]).not.toHaveProperty("conflict");
    await contest.run(minute, 50, () => {
      watch("flood");
      contest.loop.hint("IPv4");
    });
    expect(flips.conflict).toBeLessThanOrEqual(10);
    expect(flips.flood).toBeLessThanOrEqual(2);
  });
});
