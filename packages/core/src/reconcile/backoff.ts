/** How long to wait after failures in a row. */
export interface Backoff {
  /** Wait after the first failure, in milliseconds; doubles with each further one. */
  readonly firstMs: number;
  /** Never longer than this: the resync interval, at which we would try anyway. */
  readonly capMs: number;
  /** From 0 (included) to 1 (excluded). */
  random(): number;
}

/** Exponential backoff with "equal jitter": between half and all of the step, so that nodes do not march in step. */
export function retryDelay(failures: number, backoff: Backoff): number {
  const step = Math.min(backoff.capMs, backoff.firstMs * 2 ** Math.min(failures - 1, 30));
  return step / 2 + (backoff.random() * step) / 2;
}
