import {
  type Capabilities,
  type Family,
  type FamilyPolicy,
  type Masquerade,
  portChoices,
  portProtocols,
  prefixSet,
  type Ruleset,
} from "@ip-masq-agent/core";
import { jumpComment, translateComment } from "./names.ts";
import type { IptablesChain, IptablesRule } from "./rule.ts";
import { exemptChains } from "./tree.ts";

/** All chains of one family, ours first; and the jump that leads to it. */
export interface IptablesRuleset extends Ruleset {
  readonly chain: string;
  readonly chains: readonly IptablesChain[];
  readonly jump: IptablesRule;
}

/** The policy's chains: flat while an operator can read them at a glance, a tree where packets would notice. */
export function rulesetOf(policy: FamilyPolicy, chain: string, can: Capabilities): IptablesRuleset {
  const translation = { ...policy.translation, randomFully: policy.translation.randomFully && can.randomFully };
  const rules = masqueradeRules(translation);
  return { family: policy.family, chain, chains: exemptChains(chain, policy.exempt, rules), jump: jumpTo(chain) };
}

export function jumpTo(chain: string): IptablesRule {
  return { notLocal: true, comment: jumpComment, action: { kind: "jump", chain } };
}

/** For each protocol with ports a draw among the ranges; then, for what has none, masquerade as it is. */
function masqueradeRules({ randomFully, ports }: Masquerade): readonly IptablesRule[] {
  const draws = portChoices(ports).map(({ range, chosen, outOf }) => ({
    ...(chosen < outOf && { draws: Math.round((chosen / outOf) * 2 ** 31) }),
    action: { kind: "masquerade" as const, randomFully, ports: range },
  }));
  return [
    ...portProtocols.flatMap((protocol) => (draws.length === 0 ? [] : draws.map((draw) => ({ protocol, ...draw })))),
    { comment: translateComment, action: { kind: "masquerade", randomFully } },
  ];
}

/** The policy that chains amount to, if they are of the form above; whether they are, the caller must compare. */
export function policyOf(family: Family, chains: readonly IptablesChain[]): FamilyPolicy | undefined {
  const rules = chains.flatMap((chain) => chain.rules);
  const returns = rules.flatMap(({ destination, action }) =>
    action.kind === "return" ? [destination ?? { family, first: 0n, length: 0 }] : [],
  );
  const masquerades = rules.flatMap(({ protocol, action }) =>
    action.kind === "masquerade" ? [{ protocol, ...action }] : [],
  );
  const plain = masquerades.find(({ ports }) => ports === undefined);
  if (plain === undefined) return undefined;
  const ports = masquerades.flatMap(({ protocol, ports: range }) =>
    range && protocol === portProtocols[0] ? [range] : [],
  );
  const translation = { kind: "masquerade", randomFully: plain.randomFully, ports } as const;
  return { family, exempt: prefixSet(family, returns), translation };
}
