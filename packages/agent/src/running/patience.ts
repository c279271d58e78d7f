import { asBackendError, type BackendError, systemClock } from "@ip-masq-agent/core";
import { type Choice, chooseBackend } from "../choose.ts";
import type { Options } from "../flags/flag.ts";

/** How long before a backend that could not start is tried again, in milliseconds: first and at most. */
const againMs = { first: 1_000, cap: 60_000 } as const;

export interface Patience {
  readonly options: Options;
  readonly signal: AbortSignal;
  onHolderLost(): void;
  /** No backend could start; `isNew`: for another reason than the last time. */
  onFailure(error: BackendError, isNew: boolean): void;
}

/**
 * Tries until a backend can run: its tool may be installed, or a module loaded, while we wait. Undefined when the agent
 * is told to stop first, or is to try but once.
 */
export async function chooseUntilOneRuns({ options, signal, ...on }: Patience): Promise<Choice | undefined> {
  const { masqChain: chain, protectRules: protect } = options;
  let told = "";
  for (let waitMs: number = againMs.first; !signal.aborted; waitMs = Math.min(waitMs * 2, againMs.cap)) {
    try {
      return await chooseBackend(options.backend, { chain, protect, onHolderLost: on.onHolderLost }, signal);
    } catch (cause) {
      if (signal.aborted) return undefined;
      const error = asBackendError(cause, options.backend, "IPv4");
      on.onFailure(error, error.message !== told);
      told = error.message;
      if (options.once) return undefined;
    }
    await pause(waitMs, signal);
  }
  return undefined;
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _timer = systemClock.timer(milliseconds, resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}
