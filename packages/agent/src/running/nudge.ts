/** A wait that can be cut short. A nudge that comes while nobody waits counts for the next wait. */
export interface Nudge {
  now(): void;
  /** Resolves at the first nudge after this call. */
  next(): Promise<void>;
}

export function createNudge(): Nudge {
  let { promise, resolve } = Promise.withResolvers<void>();
  return {
    now() {
      resolve();
      ({ promise, resolve } = Promise.withResolvers<void>());
    },
    next: () => promise,
  };
}
