import type { Family } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Backend, Observation, Plan, Reading, Ruleset } from "../backend/contract.ts";
import type { Difference } from "../backend/drift.ts";
import { BackendError, type FailureReason } from "../backend/error.ts";
import type { Clock } from "../clock.ts";
import type { FamilyPolicy } from "../policy/policy.ts";

/** What one pass needs. */
export interface Pass {
  readonly backend: Backend;
  readonly capabilities: Capabilities;
  readonly desired: FamilyPolicy;
  /** What is known to have been put in force; undefined: nothing is, and what is found cannot be called drift. */
  readonly last: Written | undefined;
  /** The policy is new: write first, on the strength of `last`, and read afterwards. */
  readonly changed: boolean;
  /** Read back what was written. Without that the caller must have the rules read again soon. */
  readonly verify: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /**
   * Told before the repair is tried, so that drift is known even where repair fails. `undone`: this pass had written, or
   * was refused because the rules changed under it.
   */
  onDrift(differences: readonly Difference[], undone: boolean): void;
  /** The kernel has taken what we wrote. */
  onWritten(): void;
}

/** A ruleset that this process wrote or saw in force. */
export interface Written {
  readonly policy: FamilyPolicy;
  readonly ruleset: Ruleset;
  /** The newest observation since then; absent: none has succeeded. */
  readonly seen?: Observation;
}

/** How a pass ended. */
export type Outcome = {
  readonly readings: readonly Reading[];
  /** How long the last look took, milliseconds; 0 where none succeeded. */
  readonly observeMs: number;
  /** What is known now, to be handed to the next pass. */
  readonly last: Written | undefined;
} & (
  | { readonly result: "in_sync" | "applied" | "unverified"; readonly summary: string }
  /** `undone`: the tool works, and another program changes the rules faster than a pass takes. */
  | { readonly result: "failed"; readonly undone: boolean; readonly error: BackendError }
);

/**
 * One pass over one family: observe, compare, count, write only if different, and observe again after a write. Never
 * throws: a failure is an outcome, and the caller decides when to try again.
 */
export async function reconcile(pass: Pass): Promise<Outcome> {
  const { backend, desired, signal } = pass;
  const readings: Reading[] = [];
  let observeMs = 0;
  let { last } = pass;
  let hasWritten = false;

  async function look(): Promise<Observation> {
    const startedAt = pass.clock.monotonic();
    const seen = await backend.observe(desired.family, signal);
    const endedAt = pass.clock.monotonic();
    observeMs = endedAt - startedAt;
    readings.push({ counters: seen.counters, startedAt, endedAt });
    if (hasWritten) last = { policy: desired, ruleset, seen };
    return seen;
  }

  /** A write whose end is not known leaves nothing known, except that the ruleset is the same as before. */
  async function write(plan: Plan): Promise<void> {
    const before = last;
    last = before?.policy === desired ? { policy: desired, ruleset: before.ruleset } : undefined;
    try {
      await backend.apply(plan, signal);
    } catch (error) {
      if (error instanceof BackendError && wroteNothing.has(error.reason)) last = before;
      throw error;
    }
    hasWritten = true;
    pass.onWritten();
  }

  /** A new policy goes before the look: see `Pass.changed`. Gives what was written; nothing where the tool refused. */
  async function writeFirst(): Promise<string> {
    const plan = pass.last?.seen && backend.plan(ruleset, pass.last.seen);
    if (plan === undefined || plan.transaction === "") return "";
    try {
      await write(plan);
      return plan.summary;
    } catch (error) {
      if (isRefusal(error)) return "";
      throw error;
    }
  }

  /** Drift is measured against what should be there: after a write our new rules, before it those last in force. */
  function tell(seen: Observation, undone: boolean): void {
    const expected = hasWritten ? ruleset : last?.ruleset;
    pass.onDrift(expected === undefined ? [] : backend.plan(expected, seen).differences, undone);
  }

  /**
   * A plan is made for what was observed; where the rules change before it is applied, the tool may refuse it. Then there
   * is a second plan, for what is there now. Gives the summary of the one that went through, `undefined` for neither.
   */
  async function writePlan(plan: Plan): Promise<string | undefined> {
    try {
      await write(plan);
      return plan.summary;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const seen = await look();
      const second = backend.plan(ruleset, seen);
      if (isSame(plan, second)) throw error;
      tell(seen, true);
      if (second.transaction === "") return "";
      try {
        await write(second);
        return second.summary;
      } catch (cause) {
        if (isRefusal(cause)) return undefined;
        throw cause;
      }
    }
  }

  const known = () => ({ readings, observeMs, last });
  let ruleset: Ruleset;
  try {
    ruleset = backend.render(desired, pass.capabilities);
    const first = pass.changed ? await writeFirst() : "";
    const seen = await look();
    const plan = backend.plan(ruleset, seen);
    if (plan.transaction === "") {
      last = { policy: desired, ruleset, seen };
      return { result: first === "" ? "in_sync" : "applied", summary: first, ...known() };
    }
    tell(seen, false);
    const then = await writePlan(plan);
    if (then === undefined)
      return { result: "failed", undone: true, error: refusedTwice(backend, ruleset), ...known() };
    const summary = [first, then].filter((part) => part !== "").join("; then ");
    if (!pass.verify) return { result: "unverified", summary, ...known() };
    const after = await look();
    const left = backend.plan(ruleset, after);
    if (left.transaction === "") {
      last = { policy: desired, ruleset, seen: after };
      return { result: "applied", summary, ...known() };
    }
    pass.onDrift(left.differences, true);
    return { result: "failed", undone: true, error: undoneError(backend, ruleset, left), ...known() };
  } catch (cause) {
    const error = asBackendError(cause, backend.name, desired.family);
    return { result: "failed", undone: false, error, ...known() };
  }
}

/** Failures of a write after which the kernel is as it was: transactions apply whole or not at all. */
const wroteNothing: ReadonlySet<FailureReason> = new Set([
  "lock",
  "permission",
  "unsupported",
  "rejected",
  "tool_missing",
]);

/** The tool read the transaction and did not take it; the kernel may not be as the plan assumes. */
function isRefusal(error: unknown): boolean {
  return error instanceof BackendError && (error.reason === "rejected" || error.reason === "other");
}

/** The second plan is for the same kernel state as the first: then it is the plan that the tool does not take. */
function isSame(first: Plan, second: Plan): boolean {
  return first.transaction === second.transaction && driftKey(first.differences) === driftKey(second.differences);
}

/** The same differences, seen again, are the same drift. A hundred of them tell two drifts apart well enough. */
export function driftKey(differences: readonly Difference[]): string {
  return `${differences.length} ${JSON.stringify(differences.slice(0, 100))}`;
}

/** An exit code of 0 is no proof: `iptables-nft-restore` has been seen to succeed and do something else. */
function undoneError(backend: Backend, ruleset: Ruleset, { differences }: Plan): BackendError {
  const [first] = differences;
  return failure(
    backend,
    ruleset,
    `the rules were written, but right after that the kernel shows ${differences.length} differences` +
      (first === undefined ? "" : ` (first: ${first.kind} in ${first.subject})`) +
      "; another program may be changing them, or the tool did not do what it said",
  );
}

function refusedTwice(backend: Backend, ruleset: Ruleset): BackendError {
  return failure(backend, ruleset, "the rules change faster than they can be read and written; find what changes them");
}

function failure(backend: Backend, { family }: Ruleset, message: string): BackendError {
  return new BackendError({ reason: "other", backend: backend.name, operation: "apply", family, message });
}

/** Whatever was thrown, as the one error type; a thrown value of another kind is a bug of ours, kept as the cause. */
export function asBackendError(cause: unknown, backend: string, family: Family): BackendError {
  if (cause instanceof BackendError) return cause;
  return new BackendError({
    reason: "other",
    backend,
    operation: "observe",
    family,
    message: `unexpected failure: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  });
}
