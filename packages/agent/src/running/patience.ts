import { asBackendError, type BackendError, systemClock } from "@ip-masq-agent/core";
import { type Choice, chooseBackend } from "../choose.ts";
import type { Options } from "../flags/flag.ts";
import type { Nudge } from "./nudge.ts";

/** How long before a backend that could not start is tried again, in milliseconds: first and at most. */
const againMs = { first: 1_000, cap: 60_000 } as const;

export interface Patience {
  readonly options: Options;
  readonly signal: AbortSignal;
  /** Cuts the wait for the next try short. */
  readonly nudge: Nudge;
  onHolderLost(): void;
  /** No backend could start; `isNew`: for another reason than the last time. */
  onFailure(error: BackendError, isNew: boolean): void;
}

/**
 * Tries until a backend can run: its tool may be installed, or a module loaded, while we wait. Undefined when the agent
 * is told to stop first, or is to try but once.
 */
export async function chooseUntilOneRuns({ options, signal, nudge, ...on }: Patience): Promise<Choice | undefined> {
  const { masqChain: chain, protectRules: protect } = options;
  let told = "";
  let waitMs: number = againMs.first;
  while (!signal.aborted) {
    // Also where it comes while a try is under way: that one may have begun before what it is for.
    const nudged = nudge.next().then(() => true);
    try {
      return await chooseBackend(options.backend, { chain, protect, onHolderLost: on.onHolderLost }, signal);
    } catch (cause) {
      if (signal.aborted) return undefined;
      const error = asBackendError(cause, options.backend, "IPv4");
      on.onFailure(error, error.message !== told);
      told = error.message;
      if (options.once) return undefined;
    }
    waitMs = (await pause(waitMs, signal, nudged)) ? againMs.first : Math.min(waitMs * 2, againMs.cap);
  }
  return undefined;
}

/** Gives whether it was cut short by the nudge. */
async function pause(milliseconds: number, signal: AbortSignal, nudged: Promise<boolean>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  using _timer = systemClock.timer(milliseconds, () => resolve(false));
  signal.addEventListener("abort", () => resolve(false), { once: true });
  // Awaited here: leaving the function ends the timer.
  return await Promise.race([promise, nudged]);
}
