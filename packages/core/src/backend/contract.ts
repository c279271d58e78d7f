import type { Family } from "../address/family.ts";
import type { FamilyPolicy } from "../policy/policy.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Difference } from "./drift.ts";

/** A policy rendered for one backend and one family: data, not text. Equal policies give equal rulesets. */
export interface Ruleset {
  readonly family: Family;
}

/** The kernel's own count since the rules were written; first packets of flows, as NAT sees them. */
export interface Counters {
  readonly exemptPackets: number;
  readonly masqueradedPackets: number;
  readonly masqueradedBytes: number;
}

/** Counters with the time they were read at: the kernel's values of some moment between the two. */
export interface Reading {
  readonly counters: Counters;
  /** Monotonic milliseconds at which the read began and ended. */
  readonly startedAt: number;
  readonly endedAt: number;
}

/** What is in the kernel that is ours. */
export interface Observation {
  readonly family: Family;
  /** Anything of ours at all, in this or an older form. False: a fresh node. */
  readonly present: boolean;
  /** The policy that these rules amount to, where they can be read as one; undefined where they cannot. */
  readonly policy: FamilyPolicy | undefined;
  readonly counters: Counters;
}

/** The differences between desired and observed, and the transaction that ends them. A value: printed or applied. */
export interface Plan {
  readonly family: Family;
  readonly differences: readonly Difference[];
  /**
   * Exactly what the tool is given; empty where nothing is to be done. A backend may need two transactions, an empty line
   * between them, where nothing of ours decides yet: nftables fills its set before the chain that looks into it appears.
   */
  readonly transaction: string;
  /** One line for a person: `rewrites table ip ip-masq-agent`, `adds 1, removes 2 elements of set exempt`. */
  readonly summary: string;
}

/**
 * One way of putting a policy into the kernel. The loop observes, plans and applies through this and knows nothing of
 * tools; a backend knows nothing of config, time, retries, metrics or logs.
 *
 * Every method that touches the kernel takes a signal and rejects with `BackendError`; none takes longer than the
 * backend's own time limit. Families are independent: nothing done for one may read or write the other's rules.
 */
export interface Backend<
  R extends Ruleset = Ruleset,
  O extends Observation = Observation,
  C extends Capabilities = Capabilities,
> {
  /** As in `--backend` and in every metric: `nftables`, `iptables-nft`, `iptables-legacy`. */
  readonly name: string;

  /** Looks at tools and kernel, and changes nothing; does not load kernel modules. Rejects where this backend cannot run. */
  probe(signal: AbortSignal): Promise<C>;

  /** Pure. Does not know what is in the kernel. */
  render(policy: FamilyPolicy, can: C): R;

  /** Reads our own rules, and what is needed to recognise older forms of them. Rejects if unreadable, never says "empty". */
  observe(family: Family, signal: AbortSignal): Promise<O>;

  /** Pure. An empty transaction means in sync. Never touches what others own. */
  plan(desired: R, seen: O): Plan;

  /**
   * Runs the plan's transaction: all or nothing, also where it is two. Does not check the effect; the loop observes again.
   * `onStep` is called when one of several transactions has ended: a long plan is alive as long as each of them ends.
   */
  apply(plan: Plan, signal: AbortSignal, onStep?: () => void): Promise<void>;

  /**
   * Removes everything of ours in the family, in every form we or the Go original ever wrote, and says what it removed
   * (nothing: an empty list). A host that cannot have such rules (no tool, no table) has none: not an error.
   */
  cleanup(family: Family, signal: AbortSignal): Promise<readonly string[]>;

  /** Lists what `cleanup` would remove, in the same words, and changes nothing. */
  removable(family: Family, signal: AbortSignal): Promise<readonly string[]>;

  /** Ends what the backend keeps running between calls, where it does; rules stay. */
  close?(): Promise<void>;
}

/** No packet counted. */
export const noCounters: Counters = { exemptPackets: 0, masqueradedPackets: 0, masqueradedBytes: 0 };
