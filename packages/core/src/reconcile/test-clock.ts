import type { Clock } from "../clock.ts";

/** A clock that stands still until told. For tests. */
export interface TestClock extends Clock {
  /** Moves time on and runs the timers that fall due, in order. */
  advance(milliseconds: number): void;
  /** Lets promises that are ready run. */
  settle(): Promise<void>;
  /** Timers not yet run or cancelled. */
  pending(): number;
}

export function createTestClock(start = 1_000_000): TestClock {
  let now = start;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  return {
    monotonic: () => now,
    wall: () => now,
    timer(milliseconds, callback) {
      const timer = { at: now + milliseconds, callback };
      timers.push(timer);
      return {
        [Symbol.dispose]: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    advance(milliseconds) {
      const until = now + milliseconds;
      for (;;) {
        const next = timers.toSorted((a, b) => a.at - b.at)[0];
        if (next === undefined || next.at > until) break;
        timers = timers.filter((other) => other !== next);
        now = Math.max(now, next.at);
        next.callback();
      }
      now = until;
    },
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    pending: () => timers.length,
  };
}
