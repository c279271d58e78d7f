import { type Arrival, type Outside, targets } from "./outside.ts";
import { flowsPerSecond, wrongSources } from "./workload.ts";

/** What the workload's packets prove, as seen from outside. */
export interface Traffic {
  /** All that arrives until `work` is done, and a second longer, with a source that it should not have. */
  wrongWhile(work: () => Promise<void>, exempt?: readonly string[]): Promise<readonly string[]>;
  /** Resolves when for a second nothing has arrived with a wrong source; gives how long after `from` the last one came. */
  settled(exempt: readonly string[], from: number): Promise<number>;
}

export function trafficOf(outside: Outside): Traffic {
  return {
    async wrongWhile(work, exempt = [targets.exempt]) {
      const from = performance.now();
      await work();
      await pause(1_000);
      const arrivals = outside.since(from);
      const seconds = (performance.now() - from) / 1000;
      // As many new flows as were asked for, or nothing is proven.
      const rate = flowsPerSecond(arrivals, seconds);
      if (new Set(arrivals.map(({ pod }) => pod)).size !== 2 || !(rate > 50))
        throw new Error(`too few packets to prove anything: ${rate} a second`);
      return wrongSources(arrivals, exempt);
    },
    async settled(exempt, from) {
      const wrong = (arrival: Arrival) => wrongSources([arrival], exempt).length > 0;
      for (;;) {
        await pause(250);
        const now = performance.now();
        const recent = outside.since(now - 1_000);
        if (recent.length > 100 && !recent.some(wrong) && now - from > 1_000) {
          return (outside.since(from).filter(wrong).at(-1)?.at ?? from) - from;
        }
        if (now - from > 60_000)
          throw new Error(`after a minute still: ${wrongSources(recent, exempt).slice(0, 3).join("; ")}`);
      }
    },
  };
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
