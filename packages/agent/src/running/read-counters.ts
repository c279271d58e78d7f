import type { Backend, Clock, Loop } from "@ip-masq-agent/core";
import type { ReadCounters } from "../metrics/kernel.ts";

export interface CounterReader {
  readonly backend: Pick<Backend, "observe">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The loop's pass that runs now; see `Loop.running`. */
  running: Loop["running"];
}

/**
 * Reads the kernel's counters for a scrape, but not beside a pass of the family: the pass rewrites rules, which start
 * their counters anew, and tells its own readings, before the write and after it. A reading during which a pass began
 * is given up for those.
 */
export function counterReader({ backend, clock, signal, running }: CounterReader): ReadCounters {
  return async (family) => {
    await running(family);
    const startedAt = clock.monotonic();
    try {
      const { counters } = await backend.observe(family, signal);
      const endedAt = clock.monotonic();
      const pass = running(family);
      if (pass === undefined) return { counters, startedAt, endedAt };
      await pass;
      return undefined;
    } catch {
      // The next pass meets the same failure, and tells of it.
      return undefined;
    }
  };
}
