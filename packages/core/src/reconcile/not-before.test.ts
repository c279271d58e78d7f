import { afterEach, describe, expect, test } from "vitest";
import { type Contest, foreign, startContest } from "./test-contest.ts";
import { family, first, second } from "./test-loop.ts";

const minute = 60_000;

let contest: Contest;
afterEach(() => contest.loop.stop());

describe("writes that are refused", () => {
  test("a notification every 100 ms does not hurry the backoff: nine tries in a minute", async () => {
    contest = await startContest({ random: () => 0 });
    contest.backend.faults.always("apply", "lock");
    await contest.run(minute, 100, () => contest.tamper(foreign));
    expect(contest.calls.apply).toBe(9);
    expect(contest.conflicts()).toEqual([]);
  });

  test("nor where reading fails", async () => {
    contest = await startContest({ random: () => 0 });
    contest.backend.faults.always("observe", "timeout");
    await contest.run(minute, 100, () => contest.tamper(foreign));
    expect(contest.calls.observe).toBe(9);
  });

  test("nor where the tool refuses what it has read", async () => {
    contest = await startContest({ random: () => 0 });
    contest.backend.faults.always("apply", "rejected");
    await contest.run(minute, 100, () => contest.tamper(foreign));
    expect(contest.calls).toEqual({ apply: 9, observe: 18 });
  });

  test("however long the resync interval is, there is a try a minute", async () => {
    contest = await startContest({ resyncIntervalMs: 24 * 60 * minute });
    contest.backend.faults.always("apply", "lock");
    contest.tamper(foreign);
    await contest.run(60 * minute, 1_000);
    expect(contest.calls.apply).toBeGreaterThan(60);
    expect(contest.calls.apply).toBeLessThan(72);
  });

  test("a comparison that is asked for does not wait for the backoff, nor for the pace", async () => {
    contest = await startContest();
    contest.backend.faults.always("apply", "lock");
    contest.tamper(foreign);
    await contest.run(10 * minute, 1_000);
    contest.backend.faults.always("apply");
    contest.loop.compare();
    await contest.run(100, 100);
    expect(contest.synced().at(-1)).toBe("hint applied");
    await contest.run(5_050, 50, () => contest.tamper(foreign));
    contest.loop.compare();
    const before = contest.calls.apply;
    await contest.run(10, 10);
    expect(contest.calls.apply).toBe(before + 1);
  });
});

describe("a new config", () => {
  test("does not wait in a conflict, and is read back", async () => {
    contest = await startContest();
    await contest.run(minute, 100, () => contest.tamper(foreign));
    contest.tamper(foreign);
    contest.loop.setPolicy(second, "config");
    await contest.clock.settle();
    await contest.clock.settle();
    contest.clock.advance(10);
    await contest.clock.settle();
    expect(contest.backend.kernel.lines.get("IPv4")?.[0]).toBe("exempt 10.0.0.0/9");
    expect(contest.events.findLast((event) => event.type === "synced")).toMatchObject({ trigger: "config" });
    expect(contest.events.findLast((event) => event.type === "synced")).not.toHaveProperty("unverified");
  });

  test.each([undefined, "lock"] as const)(
    "20 times a second is four passes a second (writes fail: %s)",
    async (reason) => {
      contest = await startContest();
      const { backend, loop } = contest;
      backend.faults.always("apply", reason);
      const cidr = (at: number) => `10.${Math.floor(at / 50) % 250}.0.0/16`;
      let newest = 0;
      for (let at = 0; at < minute; at += 50) {
        newest = at;
        loop.setPolicy({ IPv4: family("IPv4", cidr(at)) }, "config");
        for (let turn = 0; turn < 3; turn++) await contest.clock.settle();
        contest.clock.advance(50);
      }
      expect(contest.synced().length).toBeLessThanOrEqual(240 + 10 + 10);
      backend.faults.always("apply");
      contest.clock.advance(250);
      for (let turn = 0; turn < 5; turn++) await contest.clock.settle();
      if (reason === undefined) expect(backend.kernel.lines.get("IPv4")?.[0]).toBe(`exempt ${cidr(newest)}`);
    },
  );

  test("that was written and could not be read back: what differs then is no drift", async () => {
    contest = await startContest();
    const { backend, loop, events } = contest;
    backend.faults.fail("observe", "timeout");
    loop.setPolicy(second, "config");
    await contest.clock.settle();
    expect(backend.kernel.lines.get("IPv4")?.[0]).toBe("exempt 10.0.0.0/9");
    backend.kernel.lines.set("IPv4", ["neither the old nor the new"]);
    contest.clock.advance(1_000);
    await loop.idle();
    expect(contest.synced()).toEqual(["start applied", "config failed", "retry applied"]);
    expect(events.filter((event) => event.type === "drift")).toEqual([]);
    expect(loop.inForce()).toBe(true);
  });

  test("that the tool refused for sure: drift is measured against the old one", async () => {
    contest = await startContest();
    const { backend, loop, events } = contest;
    backend.faults.always("apply", "lock");
    loop.setPolicy(second, "config");
    await contest.clock.settle();
    expect(events.filter((event) => event.type === "drift")).toEqual([]);
    backend.kernel.lines.set("IPv4", [...(backend.kernel.lines.get("IPv4") ?? []), "extra"]);
    contest.clock.advance(1_000);
    await loop.idle();
    expect(events.find((event) => event.type === "drift")).toMatchObject({ differences: [{ kind: "extra" }] });
    loop.setPolicy(first, "config");
  });
});
