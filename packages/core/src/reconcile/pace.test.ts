import { expect, test } from "vitest";
import { createPace } from "./pace.ts";

/** Starts of passes that are wanted all the time, over `forMs`. */
function starts(pace: ReturnType<typeof createPace>, from: number, forMs: number, costMs = 0): readonly number[] {
  const found: number[] = [];
  for (let now = from; now < from + forMs; now += 10) {
    if (now < pace.notBefore()) continue;
    found.push(now - from);
    pace.charge(now, costMs);
  }
  return found;
}

test("a burst at once, then one each second, for ever", () => {
  const pace = createPace({ burst: 3, everyMs: 1_000 });
  expect(starts(pace, 0, 5_000)).toEqual([0, 10, 20, 1_000, 2_000, 3_000, 4_000]);
  expect(starts(pace, 5_000, 600_000)).toHaveLength(600);
});

test("what comes more rarely never waits, however long it goes on", () => {
  const pace = createPace({ burst: 3, everyMs: 1_000 });
  for (let now = 0; now < 3_600_000; now += 2_000) {
    expect(pace.notBefore()).toBeLessThanOrEqual(now);
    pace.charge(now, 0);
  }
});

test("after a quiet time the burst is there again", () => {
  const pace = createPace({ burst: 3, everyMs: 1_000 });
  starts(pace, 0, 60_000);
  expect(pace.isRested(60_000)).toBe(false);
  expect(pace.isRested(61_500)).toBe(true);
  expect(starts(pace, 63_000, 1_000)).toEqual([0, 10, 20]);
});

test("passes that cost more than the interval come more rarely", () => {
  const pace = createPace({ burst: 2, everyMs: 1_000 });
  expect(starts(pace, 0, 20_000, 4_000)).toEqual([0, 3_000, 7_000, 11_000, 15_000, 19_000]);
});
