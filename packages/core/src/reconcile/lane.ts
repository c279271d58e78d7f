import type { Family } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Backend } from "../backend/contract.ts";
import type { Difference } from "../backend/drift.ts";
import type { Clock } from "../clock.ts";
import type { FamilyPolicy } from "../policy/policy.ts";
import { retryDelay } from "./backoff.ts";
import type { ReconcileEvent, SyncResult, Trigger } from "./event.ts";
import { createHandover } from "./handover.ts";
import { asBackendError, type InForce, reconcile } from "./reconcile.ts";

/** One family's part of the loop: its passes, one at a time, and what is known between them. */
export interface Lane {
  /** The policy to be in force; undefined: the family is off, and what is there of ours is removed once. */
  setPolicy(policy: FamilyPolicy | undefined): void;
  /** One pass. Never throws; resolves when it has been told as an event. Not to be called while one runs. */
  pass(trigger: Trigger): Promise<PassEnd>;
  /** The policy is in force and was observed so at the end of the last pass (or off, and nothing of ours is there). */
  inForce(): boolean;
}

/** How a pass ended, and when the family wants the next one: undefined where only a new policy calls for it. */
export interface PassEnd {
  readonly result: SyncResult;
  readonly nextInMs: number | undefined;
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
  let drift: { readonly since: number; readonly key: string } | undefined;

  function onDrift(differences: readonly Difference[]): void {
    if (differences.length === 0) return;
    const key = driftKey(differences);
    if (key === drift?.key) return;
    drift = { since: drift?.since ?? clock.monotonic(), key };
    options.onEvent({ type: "drift", backend: backend.name, family, at: clock.wall(), differences });
  }

  async function enforce(desired: FamilyPolicy, trigger: Trigger): Promise<PassEnd> {
    const started = clock.monotonic();
    const outcome = await reconcile({ ...options, desired, last, changed: trigger === "config", onDrift });
    const failed = outcome.result === "failed";
    // What was cut short by our own stop is no failure to tell anybody of.
    if (failed && signal.aborted) return { result: "failed", nextInMs: undefined };
    failures = failed ? failures + 1 : 0;
    const nextInMs = failed ? delayAfterFailure() : options.resyncIntervalMs();
    const repair = drift && {
      repair: {
        result: failed ? ("failed" as const) : ("repaired" as const),
        afterMs: clock.monotonic() - drift.since,
      },
    };
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
      ...(failed && { error: outcome.error, retryInMs: nextInMs }),
    });
    if (!failed) await handover.finish(signal);
    return { result: outcome.result, nextInMs };
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
      return { result: what.length > 0 ? "applied" : "in_sync", nextInMs: undefined };
    } catch (cause) {
      failures++;
      options.onEvent({ ...event, at: clock.wall(), what: [], error: asBackendError(cause, backend.name, family) });
      return { result: "failed", nextInMs: delayAfterFailure() };
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
    pass: (trigger) => (policy === undefined ? switchOff() : enforce(policy, trigger)),
    inForce: () => settled,
  };
}

/** The same differences, seen again, are the same drift. A hundred of them tell two drifts apart well enough. */
function driftKey(differences: readonly Difference[]): string {
  return `${differences.length} ${JSON.stringify(differences.slice(0, 100))}`;
}
