/** How often passes may follow each other: some at once, then one in so many milliseconds. */
export interface Pace {
  /** Monotonic time before which no further pass may begin; in the past: one may begin now. */
  notBefore(): number;
  /** A pass began at `startedAt` and cost so many milliseconds; the least is one interval. */
  charge(startedAt: number, costMs: number): void;
  /** At least half of the burst is there again. */
  isRested(now: number): boolean;
}

export interface PaceOptions {
  /** Passes that may follow each other at once after a quiet time. */
  readonly burst: number;
  /** Beyond the burst: least time from one pass's start to the next one's, milliseconds. */
  readonly everyMs: number;
}

/**
 * A token bucket, kept as the one time at which it would be full again. It never grows stricter: after any history, the
 * next pass waits for one interval, or for the cost of the last pass where that was more.
 */
export function createPace({ burst, everyMs }: PaceOptions): Pace {
  let fullAt = Number.NEGATIVE_INFINITY;
  return {
    notBefore: () => fullAt - (burst - 1) * everyMs,
    charge(startedAt, costMs) {
      fullAt = Math.max(fullAt, startedAt) + Math.max(everyMs, costMs);
    },
    isRested: (now) => fullAt - now <= (burst * everyMs) / 2,
  };
}
