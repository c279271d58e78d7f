import type { Clock } from "@ip-masq-agent/core";

/** A clock that stands still until told. */
export interface StillClock extends Clock {
  /** Moves time on and runs the timers that fall due, in order. */
  advance(milliseconds: number): void;
  /** Timers not yet run or cancelled. */
  pending(): number;
}

export function stillClock(): StillClock {
  let now = 0;
  const timers = new Map<object, { readonly at: number; readonly callback: () => void }>();
  return {
    monotonic: () => now,
    wall: () => now,
    timer(milliseconds, callback) {
      const key = {};
      timers.set(key, { at: now + milliseconds, callback });
      return { [Symbol.dispose]: () => timers.delete(key) };
    },
    advance(milliseconds) {
      const until = now + milliseconds;
      for (;;) {
        const [next] = [...timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next[0]);
        now = Math.max(now, next[1].at);
        next[1].callback();
      }
      now = until;
    },
    pending: () => timers.size,
  };
}
