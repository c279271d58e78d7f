import { afterEach, describe, expect, test } from "vitest";
import { type Contest, foreign, startContest } from "./test-contest.ts";

const minute = 60_000;
/** Repairs at once, before the pace sets in: see track.ts. */
const burst = 10;

let contest: Contest;
afterEach(() => contest.loop.stop());

describe("any mixture", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "of tampering, failures and notifications keeps the pace and ends well (seed %i)",
    async (seed) => {
      contest = await startContest();
      const { backend, loop } = contest;
      const random = generator(seed);
      const applies: number[] = [];
      let count = 0;
      const faults: readonly (() => void)[] = [
        () => contest.tamper(foreign),
        () => contest.tamper(undefined),
        () => contest.tamper([`other ${count}`], false),
        () => loop.hint(),
        () => backend.faults.fail("apply", "rejected"),
        () => backend.faults.fail("apply", "lock"),
        () => backend.faults.fail("observe", "timeout"),
        () => backend.faults.beforeApply(() => backend.kernel.lines.set("IPv4", ["between"])),
        () => backend.faults.afterApply(random() < 0.5 ? () => contest.tamper(foreign, random() < 0.5) : undefined),
        () => backend.faults.always("apply", random() < 0.1 ? "lock" : undefined),
      ];
      await contest.run(10 * minute, 50, () => {
        applies.push(contest.calls.apply);
        count++;
        if (random() < 0.7) faults[Math.floor(random() * faults.length)]?.();
      });
      // In any ten seconds: a burst, one a second, and a second plan for each.
      for (let at = 200; at < applies.length; at++)
        expect((applies[at] ?? 0) - (applies[at - 200] ?? 0)).toBeLessThanOrEqual(2 * (burst + 11));
      backend.faults.clear();
      contest.loop.hint();
      await contest.run(minute, 500);
      expect(contest.loop.inForce()).toBe(true);
      expect(backend.kernel.lines.get("IPv4")?.[0]).toBe("exempt 10.0.0.0/8");
    },
  );
});

/** mulberry32: numbers from 0 to 1 that are the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
