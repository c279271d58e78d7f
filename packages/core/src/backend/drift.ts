/**
 * How an observed ruleset can differ from the desired one; the `kind` label of `rule_drift_detected_total`.
 *
 * - `missing`: a rule, set or element of ours is not there
 * - `extra`: a rule, chain, set or element is in our place that we did not write
 * - `modified`: it stands where ours should, but says something else
 * - `order`: all rules are there, in another order
 * - `jump`: the way in: the jump from POSTROUTING (none, several, other conditions) or nftables' hook
 * - `table`: what holds our rules is gone: nftables' table, iptables' chain
 */
export type DriftKind = "missing" | "extra" | "modified" | "order" | "jump" | "table";

export const driftKinds: readonly DriftKind[] = ["missing", "extra", "modified", "order", "jump", "table"];

/** One difference between the desired and the observed ruleset. */
export interface Difference {
  readonly kind: DriftKind;
  /** Where: `chain IP-MASQ-AGENT`, `set exempt`, `table ip ip-masq-agent`. */
  readonly subject: string;
  /** What should be there, as the tool would print it. */
  readonly expected?: string;
  /** What is there. */
  readonly found?: string;
}

/** How many differences there are of each kind; kinds without any are left out. */
export function countKinds(differences: readonly Difference[]): ReadonlyMap<DriftKind, number> {
  const counts = new Map<DriftKind, number>();
  for (const { kind } of differences) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** `3 missing, 1 jump`, in the order of the kinds. */
export function describeKinds(differences: readonly Difference[]): string {
  const counts = countKinds(differences);
  return driftKinds
    .filter((kind) => counts.has(kind))
    .map((kind) => `${counts.get(kind)} ${kind}`)
    .join(", ");
}
