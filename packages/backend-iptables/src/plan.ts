import { isDeepStrictEqual } from "node:util";
import { type Difference, listDifferences, type Plan } from "@ip-masq-agent/core";
import { hookChain } from "./names.ts";
import { type IptablesObservation, isSpent } from "./observe.ts";
import { renderRestore, renderRule } from "./render.ts";
import type { IptablesChain, IptablesRule } from "./rule.ts";
import type { IptablesRuleset } from "./ruleset.ts";

/** The differences, and one restore that ends them: only chains that differ are rewritten, so other counters live on. */
export function planChange(desired: IptablesRuleset, seen: IptablesObservation): Plan {
  const known = inSyncWith.get(seen);
  const chains = desired.chains
    .filter((chain) => !isDeepStrictEqual(chain.rules, known?.get(chain.name)) && !sameRules(chain, seen))
    .map(({ name, rules }) => ({ name, rules: rules.map(renderRule) }));
  const names = new Set(desired.chains.map(({ name }) => name));
  const stale = [...seen.chains.keys()].filter((name) => !names.has(name));
  const gone = [...stale, ...seen.leftovers.chains].filter((name) => !isSpent(name, seen));
  const keep = seen.jumps.find(({ valid }) => valid);
  const jumps = [...seen.jumps.filter((jump) => jump !== keep).map(({ text }) => text), ...seen.leftovers.jumps];
  const append = keep === undefined ? [`${hookChain} ${renderRule(desired.jump)}`] : [];
  const compare = (): readonly Difference[] => [
    ...chains.flatMap(({ name, rules }) => compareChain(desired.chain, name, rules, seen.chains.get(name))),
    ...gone.map((name) => ({ kind: "extra" as const, subject: `chain ${name}`, found: `chain ${name}` })),
    ...compareJumps(desired, seen),
  ];
  let differences: readonly Difference[] | undefined;
  const nothing = chains.length + gone.length + jumps.length + append.length === 0;
  if (nothing) inSyncWith.set(seen, new Map(desired.chains.map((chain) => [chain.name, chain.rules])));
  if (nothing) return { family: desired.family, differences: [], transaction: "", summary: "" };
  return {
    family: desired.family,
    /** Made when asked for: a new policy is written without, and for a large tree they take as long as all the rest. */
    get differences() {
      differences ??= compare();
      return differences;
    },
    transaction: renderRestore({
      chains: [...chains, ...gone.filter((name) => seen.pinned.has(name)).map((name) => ({ name, rules: [] }))],
      drop: gone.filter((name) => !seen.pinned.has(name)),
      remove: jumps.map((text) => `${hookChain} ${text}`),
      append,
    }),
    summary: summaryOf(chains.length, gone.length, jumps.length, append.length),
  };
}

/**
 * The rules that an observation was once found to show. A new policy is compared with them as values, which takes a
 * third of the time that rendering a large tree takes; where that finds a difference, the texts decide.
 */
const inSyncWith = new WeakMap<IptablesObservation, ReadonlyMap<string, readonly IptablesRule[]>>();

function sameRules({ name, rules }: IptablesChain, seen: IptablesObservation): boolean {
  const found = seen.chains.get(name);
  return rules.length === found?.length && rules.every((rule, index) => renderRule(rule) === found[index]);
}

function compareChain(
  main: string,
  name: string,
  rules: readonly string[],
  found: readonly string[] | undefined,
): readonly Difference[] {
  const subject = `chain ${name}`;
  if (found === undefined) return [{ kind: name === main ? "table" : "missing", subject, expected: subject }];
  const listed = (texts: readonly string[]) => texts.map((text) => ({ key: text, text }));
  return listDifferences(subject, listed(rules), listed(found));
}

function compareJumps(desired: IptablesRuleset, seen: IptablesObservation): readonly Difference[] {
  const subject = `chain ${hookChain}`;
  const expected = renderRule(desired.jump);
  const keep = seen.jumps.find(({ valid }) => valid);
  const wrong = seen.jumps.filter((jump) => jump !== keep);
  return [
    ...(keep === undefined && wrong.length === 0 ? [{ kind: "jump" as const, subject, expected }] : []),
    ...wrong.map(({ text }) => ({ kind: "jump" as const, subject, expected, found: text })),
    ...seen.leftovers.jumps.map((found) => ({ kind: "extra" as const, subject, found })),
  ];
}

function summaryOf(chains: number, gone: number, jumps: number, append: number): string {
  const parts = [
    chains > 0 && `rewrites ${count(chains, "chain")}`,
    gone > 0 && `removes ${count(gone, "chain")}`,
    jumps > 0 && `removes ${count(jumps, "jump")}`,
    append > 0 && `adds the jump from ${hookChain}`,
  ];
  return parts.filter((part) => part !== false).join(", ");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
