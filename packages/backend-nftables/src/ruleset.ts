import {
  type Capabilities,
  type Family,
  type FamilyPolicy,
  type PortRange,
  type PrefixSet,
  portChoices,
  type Ruleset,
} from "@ip-masq-agent/core";

/** One rule of the chain, as a value. `foreign` is whatever we do not write; it never equals a desired rule. */
export type NftRule =
  | { readonly kind: "local" }
  | { readonly kind: "exempt" }
  | NftMasquerade
  | { readonly kind: "foreign"; readonly expression: string };

/** Masquerade for all protocols, or with ports for those that have them, in `chosen` of `outOf` cases. */
export interface NftMasquerade {
  readonly kind: "masquerade";
  readonly randomFully: boolean;
  readonly ports?: PortRange;
  /** Absent: always. */
  readonly draw?: { readonly chosen: number; readonly outOf: number };
}

/** What the table of one family is to hold: the set's elements, and the chain's rules in order. */
export interface NftRuleset extends Ruleset {
  readonly family: Family;
  readonly exempt: PrefixSet;
  readonly rules: readonly NftRule[];
  /** The table is to be owned, so that nobody else can change it. */
  readonly protect: boolean;
}

/** The policy's rules: the node's own addresses are left alone, then the exempt ones; what is left is masqueraded. */
export function rulesetOf(policy: FamilyPolicy, can: Capabilities & { readonly protects?: boolean }): NftRuleset {
  const randomFully = policy.translation.randomFully && can.randomFully;
  return {
    family: policy.family,
    exempt: policy.exempt,
    protect: can.protects ?? false,
    rules: [
      { kind: "local" },
      { kind: "exempt" },
      ...portChoices(policy.translation.ports).map(({ range, chosen, outOf }) => ({
        kind: "masquerade" as const,
        randomFully,
        ports: range,
        ...(chosen < outOf && { draw: { chosen, outOf } }),
      })),
      { kind: "masquerade", randomFully },
    ],
  };
}

/** The policy that rules and set amount to; undefined where the rules are not of the form above. */
export function policyOf(family: Family, exempt: PrefixSet, rules: readonly NftRule[]): FamilyPolicy | undefined {
  const last = rules.at(-1);
  if (last?.kind !== "masquerade") return undefined;
  const ports = rules.slice(2, -1).flatMap((rule) => (rule.kind === "masquerade" && rule.ports ? [rule.ports] : []));
  const policy: FamilyPolicy = {
    family,
    exempt,
    translation: { kind: "masquerade", randomFully: last.randomFully, ports },
  };
  const same = rulesetOf(policy, { variant: "", toolVersion: "", randomFully: true });
  return same.rules.map(ruleKey).join("\n") === rules.map(ruleKey).join("\n") ? policy : undefined;
}

/** Equal for equal rules. */
export function ruleKey(rule: NftRule): string {
  return rule.kind === "masquerade"
    ? `masquerade ${rule.randomFully} ${rule.ports?.first}-${rule.ports?.last} ${rule.draw?.chosen}/${rule.draw?.outOf}`
    : rule.kind === "foreign"
      ? `foreign ${rule.expression}`
      : rule.kind;
}
