import type { Family } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Backend, Observation, Reading, Ruleset } from "../backend/contract.ts";
import type { Difference } from "../backend/drift.ts";
import { BackendError } from "../backend/error.ts";
import type { Clock } from "../clock.ts";
import type { FamilyPolicy } from "../policy/policy.ts";

/** What one pass needs. */
export interface Pass {
  readonly backend: Backend;
  readonly capabilities: Capabilities;
  readonly desired: FamilyPolicy;
  /** What was last seen in force; undefined in a fresh process, which can call nothing it finds drift. */
  readonly last: InForce | undefined;
  /** The policy is new: write first, on the strength of `last`, and look afterwards. */
  readonly changed: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told before the repair is tried, so that drift is known even where repair fails. */
  onDrift(differences: readonly Difference[]): void;
}

/** A ruleset, and the observation that showed it in force. */
export interface InForce {
  readonly ruleset: Ruleset;
  readonly seen: Observation;
}

/** How a pass ended. */
export type Outcome = {
  readonly readings: readonly Reading[];
  /** How long the last look took, milliseconds; 0 where none succeeded. */
  readonly observeMs: number;
} & (
  | { readonly result: "in_sync" | "applied"; readonly inForce: InForce; readonly summary: string }
  | { readonly result: "failed"; readonly error: BackendError }
);

/**
 * One pass over one family: observe, compare, count, write only if different, and look again after a write. Never
 * throws: a failure is an outcome, the rules are as they were, and the caller decides when to try again.
 */
export async function reconcile(pass: Pass): Promise<Outcome> {
  const { backend, desired, signal } = pass;
  const readings: Reading[] = [];
  let observeMs = 0;
  const look = async (): Promise<Observation> => {
    const startedAt = pass.clock.monotonic();
    const seen = await backend.observe(desired.family, signal);
    const endedAt = pass.clock.monotonic();
    observeMs = endedAt - startedAt;
    readings.push({ counters: seen.counters, startedAt, endedAt });
    return seen;
  };
  try {
    const ruleset = backend.render(desired, pass.capabilities);
    const written = pass.changed ? await writeFirst(pass, ruleset) : "";
    const seen = await look();
    const plan = backend.plan(ruleset, seen);
    if (plan.transaction === "") {
      const result = written === "" ? "in_sync" : "applied";
      return { result, inForce: { ruleset, seen }, summary: written, readings, observeMs };
    }
    // Drift is measured against what should be there: after a write our new rules, before it those last in force.
    const expected = written === "" ? pass.last?.ruleset : ruleset;
    pass.onDrift(expected === undefined ? [] : backend.plan(expected, seen).differences);
    await backend.apply(plan, signal);
    const after = await look();
    verify(backend, ruleset, after);
    const summary = [written, plan.summary].filter((part) => part !== "").join("; then ");
    return { result: "applied", inForce: { ruleset, seen: after }, summary, readings, observeMs };
  } catch (cause) {
    return { result: "failed", error: asBackendError(cause, backend.name, desired.family), readings, observeMs };
  }
}

/**
 * A new policy is in the kernel twice as soon if we do not look first: what was last seen there is nearly always there
 * still, and the look that follows finds and repairs what is not. Gives what was written; nothing where the tool
 * refused, because the kernel is not as remembered.
 */
async function writeFirst({ backend, last, signal }: Pass, ruleset: Ruleset): Promise<string> {
  const plan = last && backend.plan(ruleset, last.seen);
  if (plan === undefined || plan.transaction === "") return "";
  try {
    await backend.apply(plan, signal);
    return plan.summary;
  } catch (error) {
    if (error instanceof BackendError && (error.reason === "rejected" || error.reason === "other")) return "";
    throw error;
  }
}

/** An exit code of 0 is no proof: `iptables-nft-restore` has been seen to succeed and do something else. */
function verify(backend: Backend, ruleset: Ruleset, seen: Observation): void {
  const { transaction, differences } = backend.plan(ruleset, seen);
  if (transaction === "") return;
  const [first] = differences;
  throw new BackendError({
    reason: "other",
    backend: backend.name,
    operation: "apply",
    family: ruleset.family,
    message:
      `the rules were written, but right after that the kernel shows ${differences.length} differences` +
      (first === undefined ? "" : ` (first: ${first.kind} in ${first.subject})`) +
      "; another program may be changing them, or the tool did not do what it said",
  });
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
