import type { Family } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Backend, Counters, Ruleset } from "../backend/contract.ts";
import type { Difference } from "../backend/drift.ts";
import { BackendError } from "../backend/error.ts";
import type { FamilyPolicy } from "../policy/policy.ts";

/** What one pass needs. */
export interface Pass {
  readonly backend: Backend;
  readonly capabilities: Capabilities;
  readonly desired: FamilyPolicy;
  /** The ruleset last seen in force; undefined in a fresh process, which can call nothing it finds drift. */
  readonly inForce: Ruleset | undefined;
  readonly signal: AbortSignal;
  /** Told before the repair is tried, so that drift is known even where repair fails. */
  onDrift(differences: readonly Difference[]): void;
}

/** How a pass ended; `ruleset` is what is in force now and was observed so. */
export type Outcome =
  | {
      readonly result: "in_sync" | "applied";
      readonly ruleset: Ruleset;
      readonly summary: string;
      readonly readings: readonly Counters[];
    }
  | { readonly result: "failed"; readonly error: BackendError; readonly readings: readonly Counters[] };

/**
 * One pass over one family: observe, compare, count, write only if different, and look again after a write. Never
 * throws: a failure is an outcome, the rules are as they were, and the caller decides when to try again.
 */
export async function reconcile(pass: Pass): Promise<Outcome> {
  const { backend, desired, signal } = pass;
  const family = desired.family;
  const readings: Counters[] = [];
  try {
    const ruleset = backend.render(desired, pass.capabilities);
    const seen = await backend.observe(family, signal);
    readings.push(seen.counters);
    const plan = backend.plan(ruleset, seen);
    if (plan.transaction === "") {
      pass.onDrift([]);
      return { result: "in_sync", ruleset, summary: "", readings };
    }
    // A new policy differs from the kernel without anything having drifted: drift is measured against the old one.
    pass.onDrift(pass.inForce === undefined ? [] : backend.plan(pass.inForce, seen).differences);
    await backend.apply(plan, signal);
    readings.push(await verify(backend, ruleset, signal));
    return { result: "applied", ruleset, summary: plan.summary, readings };
  } catch (cause) {
    return { result: "failed", error: asBackendError(cause, backend.name, family), readings };
  }
}

/** An exit code of 0 is no proof: `iptables-nft-restore` has been seen to succeed and do something else. */
async function verify(backend: Backend, ruleset: Ruleset, signal: AbortSignal): Promise<Counters> {
  const seen = await backend.observe(ruleset.family, signal);
  const left = backend.plan(ruleset, seen);
  if (left.transaction === "") return seen.counters;
  const first = left.differences[0];
  throw new BackendError({
    reason: "other",
    backend: backend.name,
    operation: "apply",
    family: ruleset.family,
    message:
      `the rules were written, but right after that the kernel shows ${left.differences.length} differences` +
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
