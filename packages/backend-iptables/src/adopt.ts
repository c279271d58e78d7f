import type { Family } from "@ip-masq-agent/core";
import { commentPrefix, hookChain, isTreeChain } from "./names.ts";
import { commentOf, parseRule, type SavedRule, type SavedTable, targetOf } from "./parse.ts";

/** What earlier runs under another chain name left: their chains, and the rules of POSTROUTING that lead there, as printed. */
export interface Leftovers {
  readonly chains: readonly string[];
  readonly jumps: readonly string[];
}

/**
 * Chains other than ours that may be an agent's own. The Go original wrote comments that begin `ip-masq-agent:` on its
 * jump (most versions) and on every rule of its chain (all of them), and so do we on both: a chain that such a jump
 * leads to or that holds such a rule. What carries no such comment is somebody else's, whatever its name.
 */
export function suspectChains(table: SavedTable, chain: string): ReadonlySet<string> {
  const names = table.rules
    .filter(isMarked)
    .map((rule) => (rule.chain === hookChain ? targetOf(rule.text) : rule.chain));
  const others = new Set(table.chains.filter((name) => name !== chain && !isTreeChain(name)));
  return new Set(names.filter((name) => name !== undefined && others.has(name)) as string[]);
}

/**
 * Of the suspects, given all their rules: those that hold nothing but what an agent writes. Somebody's rule with our
 * comment in KUBE-POSTROUTING must not cost the node that chain; a chain of ours with somebody's rule in it can stay,
 * because nothing leads there once the marked jump is gone.
 */
export function findLeftovers(family: Family, { rules }: SavedTable, suspects: ReadonlySet<string>): Leftovers {
  const inSuspects = rules.filter((rule) => suspects.has(rule.chain));
  const mixed = new Set(inSuspects.filter((rule) => !isAgents(family, rule)).map((rule) => rule.chain));
  const chains = [...suspects].filter((name) => !mixed.has(name));
  const jumps = rules.filter((rule) => {
    const target = rule.chain === hookChain ? (targetOf(rule.text) ?? "") : "";
    return chains.includes(target) || (suspects.has(target) && isMarked(rule));
  });
  return { chains, jumps: jumps.map(({ text }) => text) };
}

function isAgents(family: Family, rule: SavedRule): boolean {
  if (isMarked(rule)) return true;
  const action = parseRule(family, rule.text)?.action;
  if (action === undefined) return false;
  return action.kind === "return" || action.kind === "masquerade" || isTreeChain(action.chain);
}

function isMarked({ text }: SavedRule): boolean {
  return text.includes(commentPrefix) && commentOf(text)?.startsWith(commentPrefix) === true;
}
