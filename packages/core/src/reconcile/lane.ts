import type { Family } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Backend } from "../backend/contract.ts";
import type { Difference } from "../backend/drift.ts";
import type { Clock } from "../clock.ts";
import type { FamilyPolicy } from "../policy/policy.ts";
import { retryDelay } from "./backoff.ts";
import { createConflictGuard } from "./conflict.ts";
import type { ConflictState, Culprit, ReconcileEvent, Standing, Synced, SyncResult, Trigger } from "./event.ts";
import { createHandover } from "./handover.ts";
import { asBackendError, driftKey, type Outcome, reconcile, type Written } from "./reconcile.ts";

/** One family's part of the loop: its passes, one at a time, and what is known between them. When they run: track.ts. */
export interface Lane {
  /** The policy to be in force; undefined: the family is off, and what is there of ours is removed once. */
  setPolicy(policy: FamilyPolicy | undefined): void;
  /** One pass. Never throws; resolves when it has been told as an event. Not to be called while one runs. */
  pass(call: Call): Promise<PassEnd>;
  standing(): Omit<Standing, "unread">;
}

/** Why a pass is made. */
export interface Call {
  readonly trigger: Trigger;
  /** Monotonic time of the first notification that it answers; without one, of now. */
  readonly noticedAt: number;
  /** Whose change was notified last, also while the pass runs. */
  by(): Culprit | undefined;
}

/** How a pass ended, and what the family wants of the time after it. */
export interface PassEnd {
  readonly result: SyncResult;
  /** It wrote, tried to, or could not read: what the pace bounds. */
  readonly worked: boolean;
  /** It could read the rules at least once, so that no notification from before it is unread. */
  readonly hasRead: boolean;
  /**
   * When the next pass is due: the regular one; as soon as the pace allows; a second later, because what was written was
   * not read back; after a backoff of so many milliseconds, and not before; or only with a new policy.
   */
  readonly next: "regular" | "soon" | "verify" | "never" | { readonly retryInMs: number };
  /** How long the last look at the kernel took, milliseconds; 0: not known. */
  readonly observeMs: number;
  /** Monotonic time at which a look may find that a conflict is over. */
  readonly conflictOverAt?: number;
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
  readonly retryFirstMs: number;
  random(): number;
  onEvent(event: ReconcileEvent): void;
}

/** A try a minute costs nothing, however long the resync interval is. */
const longestRetryMs = 60_000;

export function createLane(options: LaneOptions): Lane {
  const { family, backend, clock, signal } = options;
  const handover = createHandover(family, options.former, clock, options.onEvent);
  let guard = createConflictGuard();
  let policy: FamilyPolicy | undefined;
  let last: Written | undefined;
  let isObserved = false;
  let failures = 0;
  let failure: string | undefined;
  let drift: Drift | undefined;
  let culprit: Culprit | undefined;

  function onDrift(differences: readonly Difference[], undone: boolean, { by, noticedAt }: Call): void {
    if (differences.length === 0) return;
    const key = driftKey(differences);
    const isNew = drift === undefined || drift.repaired;
    // The same differences that could not be repaired so far: told before.
    if (!isNew && !undone && key === drift?.key) return;
    const who = by() ?? (isNew ? undefined : culprit);
    const wasUndone = drift?.repaired === true;
    const since = isNew ? (undone ? clock.monotonic() : noticedAt) : (drift?.since ?? noticedAt);
    drift = { since, key, count: differences.length, repaired: false };
    culprit = who ?? culprit;
    options.onEvent({
      ...{ type: "drift", backend: backend.name, family, at: clock.wall(), differences },
      ...(who !== undefined && { by: who }),
      ...(wasUndone && { undone: true }),
    });
    if (!isNew && !undone) return;
    const state = guard.tampered(key, clock.monotonic());
    if (state !== "none") tellConflict(state);
  }

  function tellConflict(state: "begins" | "goes on" | "over", conflict = conflictState()): void {
    if (conflict === undefined) return;
    options.onEvent({ ...{ type: "conflict", backend: backend.name, family, at: clock.wall(), state }, ...conflict });
  }

  function conflictState(): ConflictState | undefined {
    const conflict = guard.current();
    if (conflict === undefined) return undefined;
    const since = clock.wall() - (clock.monotonic() - conflict.since);
    return { since, undone: conflict.undone, ...(culprit !== undefined && { by: culprit }) };
  }

  async function enforce(desired: FamilyPolicy, call: Call): Promise<PassEnd> {
    const { trigger } = call;
    const started = clock.monotonic();
    const pending = drift?.repaired === true;
    let undoneBefore = false;
    const outcome = await reconcile({
      ...{ ...options, desired, last, changed: trigger === "config" },
      verify: !guard.isRapid() || last?.policy !== desired,
      onDrift(differences, undone) {
        undoneBefore ||= pending && drift?.repaired === true && differences.length > 0;
        onDrift(differences, undone, call);
      },
      onWritten() {
        if (drift !== undefined) drift.repaired = true;
      },
    });
    const failed = outcome.result === "failed";
    // What was cut short by our own stop is no failure to tell anybody of.
    const hasRead = outcome.readings.length > 0;
    if (failed && signal.aborted) return { ...failedPass, hasRead, next: "never", observeMs: outcome.observeMs };
    last = outcome.last;
    failures = failed && !outcome.undone ? failures + 1 : 0;
    failure = failed ? outcome.error.message : undefined;
    isObserved = !failed && outcome.result !== "unverified" && policy === desired;
    const retryInMs = failed && !outcome.undone ? delayAfterFailure() : undefined;
    const repair = repairOf(outcome, undoneBefore);
    if (!failed && outcome.result !== "unverified") drift = undefined;
    options.onEvent({
      ...{ type: "synced", backend: backend.name, family, at: clock.wall(), trigger },
      result: outcome.result === "unverified" ? "applied" : outcome.result,
      durationMs: clock.monotonic() - started,
      summary: failed ? "" : outcome.summary,
      readings: outcome.readings,
      ...(repair !== undefined && { repair }),
      ...(outcome.result === "unverified" && { unverified: true }),
      ...(failed && { error: outcome.error, ...(outcome.undone && { undone: true }) }),
      ...(retryInMs !== undefined && { retryInMs }),
    });
    if (isObserved) {
      const conflict = conflictState();
      if (guard.calm(clock.monotonic())) tellConflict("over", conflict);
      await handover.finish(signal);
    }
    return {
      result: outcome.result === "unverified" ? "applied" : outcome.result,
      worked: outcome.result !== "in_sync",
      hasRead,
      next: nextAfter(outcome, retryInMs),
      observeMs: outcome.observeMs,
      ...(guard.current() !== undefined && { conflictOverAt: guard.overAt() }),
    };
  }

  /** Whether drift is gone; for a write that was not read back, the next pass tells. */
  function repairOf({ result }: Outcome, undoneBefore: boolean): Synced["repair"] {
    if (drift === undefined) return undefined;
    const afterMs = clock.monotonic() - drift.since;
    if (result === "unverified") return undoneBefore ? { result: "failed", afterMs } : undefined;
    return { result: result === "failed" ? "failed" : "repaired", afterMs };
  }

  async function switchOff(): Promise<PassEnd> {
    const event = { type: "removed", backend: backend.name, family } as const;
    try {
      const what = await backend.cleanup(family, signal);
      last = undefined;
      drift = undefined;
      failures = 0;
      isObserved = policy === undefined;
      tellConflict("over");
      guard = createConflictGuard();
      options.onEvent({ ...event, at: clock.wall(), what });
      await handover.finish(signal);
      const result = what.length > 0 ? "applied" : "in_sync";
      return { result, worked: what.length > 0, hasRead: true, next: "never", observeMs: 0 };
    } catch (cause) {
      failures++;
      options.onEvent({ ...event, at: clock.wall(), what: [], error: asBackendError(cause, backend.name, family) });
      return { ...failedPass, hasRead: false, next: { retryInMs: delayAfterFailure() }, observeMs: 0 };
    }
  }

  function delayAfterFailure(): number {
    return retryDelay(failures, {
      firstMs: options.retryFirstMs,
      capMs: Math.min(longestRetryMs, options.resyncIntervalMs()),
      random: options.random,
    });
  }

  return {
    setPolicy(next) {
      policy = next;
      isObserved = false;
      failures = 0;
    },
    pass: (call) => (policy === undefined ? switchOff() : enforce(policy, call)),
    standing() {
      const conflict = conflictState();
      return {
        ...{ backend: backend.name, family, inForce: isObserved && drift === undefined },
        differences: drift?.count ?? 0,
        ...(failure !== undefined && { failure }),
        ...(conflict !== undefined && { conflict }),
      };
    },
  };
}

/** Differences that are known, and not known to be gone. */
interface Drift {
  /** Monotonic time of its first notice. */
  readonly since: number;
  readonly key: string;
  readonly count: number;
  /** A write has ended it, as far as the tool says; no read has shown that. */
  repaired: boolean;
}

const failedPass = { result: "failed", worked: true } as const;

function nextAfter(outcome: Outcome, retryInMs: number | undefined): PassEnd["next"] {
  if (retryInMs !== undefined) return { retryInMs };
  if (outcome.result === "failed") return "soon";
  return outcome.result === "unverified" ? "verify" : "regular";
}
