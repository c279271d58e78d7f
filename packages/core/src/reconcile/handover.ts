import type { Family } from "../address/family.ts";
import type { Backend } from "../backend/contract.ts";
import type { Clock } from "../clock.ts";
import type { ReconcileEvent } from "./event.ts";
import { asBackendError } from "./reconcile.ts";

/** Removes, for one family, what other backends left on the node; each until it has succeeded once. */
export interface Handover {
  /** To be called only while the new rules are in force and were observed so. Never throws. */
  finish(signal: AbortSignal): Promise<void>;
}

/**
 * The order makes the switch safe: with both sets of rules in place a packet is masqueraded if either says so, which is
 * right whenever both carry the same policy; removing first would leave a gap in which nothing is.
 */
export function createHandover(
  family: Family,
  former: readonly Backend[],
  clock: Clock,
  onEvent: (event: ReconcileEvent) => void,
): Handover {
  let waiting = former;
  return {
    async finish(signal) {
      const failed: Backend[] = [];
      for (const backend of waiting) {
        const event = { type: "removed", backend: backend.name, family } as const;
        try {
          const what = await backend.cleanup(family, signal);
          onEvent({ ...event, at: clock.wall(), what });
        } catch (cause) {
          failed.push(backend);
          onEvent({ ...event, at: clock.wall(), what: [], error: asBackendError(cause, backend.name, family) });
        }
      }
      waiting = failed;
    },
  };
}
