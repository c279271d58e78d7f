import type { Family } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Backend } from "../backend/contract.ts";
import type { Difference } from "../backend/drift.ts";
import type { Clock } from "../clock.ts";
import type { FamilyPolicy } from "../policy/policy.ts";
import { retryDelay } from "./backoff.ts";
import { createConflictGuard } from "./conflict.ts";
import type { Conflict, Culprit, ReconcileEvent, SyncResult, Trigger } from "./event.ts";
import { createHandover } from "./handover.ts";
import { asBackendError, type InForce, reconcile } from "./reconcile.ts";

/** One family's part of the loop: its passes, one at a time, and what is known between them. */
export interface Lane {
  /** The policy to be in force; undefined: the family is off, and what is there of ours is removed once. */
  setPolicy(policy: FamilyPolicy | undefined): void;
  /**
   * One pass. Never throws; resolves when it has been told as an event. Not to be called while one runs. `by`: whose
   * change the hint told of, if it is that.
   */
  pass(trigger: Trigger, by?: Culprit): Promise<PassEnd>;
  /** The policy is in force and was observed so at the end of the last pass (or off, and nothing of ours is there). */
  inForce(): boolean;
}

/** How a pass ended, and what the family wants of the time after it. */
export interface PassEnd {
  readonly result: SyncResult;
  /** When the next pass is due: a retry in so many milliseconds, the regular look, or only with a new policy. */
  readonly next: { readonly retryInMs: number } | "regular" | "never";
  /** How long the last look at the kernel took, milliseconds; 0: not known. */
  readonly observeMs: number;
  /** In a conflict: neither hint nor regular look before so many milliseconds have passed. */
  readonly holdMs: number;
}

export interface LaneOptions {
  readonly family: Family;
  readonly backend: Backend;
  readonly capabilities: Capabilities;
  /** Other backends, whose rules go once ours are in force. */
  readonly former: readonly Backend[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  resyncIntervalMs(): number;
  retryFirstMs: number;
  random(): number;
  onEvent(event: ReconcileEvent): void;
}

export function createLane(options: LaneOptions): Lane {
  const { family, backend, clock, signal } = options;
  const handover = createHandover(family, options.former, clock, options.onEvent);
  let policy: FamilyPolicy | undefined;
  let last: InForce | undefined;
  let settled = false;
  let failures = 0;
  let drift: { readonly since: number; readonly key: string; readonly by: Culprit | undefined } | undefined;
  const conflict = createConflictGuard({ capMs: options.resyncIntervalMs, random: options.random });

  function onDrift(differences: readonly Difference[], by: Culprit | undefined): void {
    if (differences.length === 0) return;
    const key = driftKey(differences);
    if (key === drift?.key) return;
    drift = { since: drift?.since ?? clock.monotonic(), key, by: by ?? drift?.by };
    options.onEvent({
      ...{ type: "drift", backend: backend.name, family, at: clock.wall(), differences },
      ...(by !== undefined && { by }),
    });
  }

  async function enforce(desired: FamilyPolicy, trigger: Trigger, by: Culprit | undefined): Promise<PassEnd> {
    const started = clock.monotonic();
    const outcome = await reconcile({
      ...{ ...options, desired, last, changed: trigger === "config" },
      onDrift: (differences) => onDrift(differences, by),
    });
    const failed = outcome.result === "failed";
    const { observeMs } = outcome;
    // What was cut short by our own stop is no failure to tell anybody of.
    if (failed && signal.aborted) return { result: "failed", next: "never", observeMs, holdMs: 0 };
    failures = failed ? failures + 1 : 0;
    const retryInMs = failed ? delayAfterFailure() : undefined;
    const repair = drift && {
      repair: {
        result: failed ? ("failed" as const) : ("repaired" as const),
        afterMs: clock.monotonic() - drift.since,
      },
    };
    const mended = failed ? undefined : drift;
    if (!failed) {
      last = outcome.inForce;
      drift = undefined;
    }
    settled = !failed && policy === desired;
    options.onEvent({
      type: "synced",
      backend: backend.name,
      family,
      at: clock.wall(),
      trigger,
      result: outcome.result,
      durationMs: clock.monotonic() - started,
      summary: failed ? "" : outcome.summary,
      readings: outcome.readings,
      ...repair,
      ...(failed && { error: outcome.error }),
      ...(retryInMs !== undefined && { retryInMs }),
    });
    const holdMs = failed ? 0 : holdAfter(mended);
    if (!failed) await handover.finish(signal);
    return { result: outcome.result, next: retryInMs === undefined ? "regular" : { retryInMs }, observeMs, holdMs };
  }

  /** How long the rules are to be left alone, because whoever undoes our repairs has just done so again. */
  function holdAfter(mended: typeof drift): number {
    const now = clock.monotonic();
    const tell = (state: Conflict["state"], holdMs: number, by?: Culprit) =>
      options.onEvent({
        ...{ type: "conflict", backend: backend.name, family, at: clock.wall(), state, holdMs },
        ...(by !== undefined && { by }),
      });
    if (mended === undefined) {
      if (conflict.calm(now)) tell("over", 0);
      return 0;
    }
    const holdMs = conflict.repaired(mended.key, now);
    if (holdMs > 0) tell(conflict.undone() === 1 ? "begins" : "goes on", holdMs, mended.by);
    return holdMs;
  }

  async function switchOff(): Promise<PassEnd> {
    const event = { type: "removed", backend: backend.name, family } as const;
    try {
      const what = await backend.cleanup(family, signal);
      last = undefined;
      drift = undefined;
      failures = 0;
      settled = policy === undefined;
      options.onEvent({ ...event, at: clock.wall(), what });
      await handover.finish(signal);
      return { result: what.length > 0 ? "applied" : "in_sync", next: "never", observeMs: 0, holdMs: 0 };
    } catch (cause) {
      failures++;
      options.onEvent({ ...event, at: clock.wall(), what: [], error: asBackendError(cause, backend.name, family) });
      return { result: "failed", next: { retryInMs: delayAfterFailure() }, observeMs: 0, holdMs: 0 };
    }
  }

  function delayAfterFailure(): number {
    return retryDelay(failures, {
      firstMs: options.retryFirstMs,
      capMs: options.resyncIntervalMs(),
      random: options.random,
    });
  }

  return {
    setPolicy(next) {
      policy = next;
      settled = false;
      failures = 0;
    },
    pass: (trigger, by) => (policy === undefined ? switchOff() : enforce(policy, trigger, by)),
    inForce: () => settled,
  };
}

/** The same differences, seen again, are the same drift. A hundred of them tell two drifts apart well enough. */
function driftKey(differences: readonly Difference[]): string {
  return `${differences.length} ${JSON.stringify(differences.slice(0, 100))}`;
}
