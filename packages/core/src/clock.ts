/** Time as the core sees it: handed in, so that tests own it. */
export interface Clock {
  /** Milliseconds that only go forward; for durations. */
  monotonic(): number;
  /** Milliseconds since the epoch; for what people and Prometheus read. */
  wall(): number;
  /** Runs `callback` once after `milliseconds`; disposing the result before then cancels it. */
  timer(milliseconds: number, callback: () => void): Disposable;
}

/** Longer waits overflow in setTimeout and would end at once; at the longest it is early, by then nobody will mind. */
const longestTimerMs = 2 ** 31 - 1;

/** The machine's own clock. Its timers keep the process alive until they have run or are disposed of. */
export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  timer(milliseconds, callback) {
    const timeout = setTimeout(callback, Math.min(milliseconds, longestTimerMs));
    return { [Symbol.dispose]: () => clearTimeout(timeout) };
  },
};
