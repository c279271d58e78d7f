import {
  type AddressRange,
  type Difference,
  formatPrefix,
  lastOf,
  listDifferences,
  type Plan,
  type Prefix,
} from "@ip-masq-agent/core";
import { chainName, hookPriority, setName, tableOf } from "./names.ts";
import { harmlessFlags, type NftObservation } from "./observe.ts";
import type { NftTable } from "./parse.ts";
import {
  type NftElementEdits,
  ownFlags,
  renderAdoption,
  renderBridgeGone,
  renderEdits,
  renderFresh,
  renderRange,
  renderRule,
  renderTakeover,
  renderWhole,
} from "./render.ts";
import { type NftRule, type NftRuleset, ruleKey } from "./ruleset.ts";

/**
 * Up to so many prefixes the set is emptied and filled: nft reads every set on the node to add or delete an element,
 * kube-proxy's too. In a larger set one element costs half of a refill (10,000: 80 ms and 150 ms).
 */
const smallSet = 1_000;

/** With more changes than this a set of any size is refilled: deleting 10,000 elements one by one takes half a minute. */
const fewChanges = 64;

/**
 * The differences, and what ends them. A table whose frame is right keeps it: elements and rules change inside, so that
 * every packet meets one whole state, and counters live on where rules do. Otherwise the whole table is written anew.
 */
export function planChange(desired: NftRuleset, seen: NftObservation): Plan {
  const plan = planRules(desired, seen);
  return withoutBridge(desired.protect ? withOwnership(desired, seen, plan) : plan, seen);
}

/** A table that is not ours yet is adopted with its change; one that belongs to nobody is replaced, with a bridge. */
function withOwnership(desired: NftRuleset, seen: NftObservation, plan: Plan): Plan {
  const { table, held } = seen;
  if (held || table === undefined) return plan;
  const summary = [`takes ownership of table ${tableOf(desired.family)}`, plan.summary].filter(Boolean).join(", ");
  const leftBehind = table.flags.includes("persist");
  const transaction = leftBehind
    ? `${renderAdoption(desired.family)}${plan.transaction}`
    : harmlessFlags(table)
      ? renderTakeover(desired)
      : plan.transaction;
  return { ...plan, transaction, summary };
}

function withoutBridge(plan: Plan, { bridge }: NftObservation): Plan {
  if (!bridge || plan.transaction.includes(renderBridgeGone(plan.family))) return plan;
  const transactions = [plan.transaction, renderBridgeGone(plan.family)].filter((text) => text !== "");
  const what = "removes what a takeover left";
  return { ...plan, transaction: transactions.join("\n"), summary: [plan.summary, what].filter(Boolean).join(", ") };
}

function planRules(desired: NftRuleset, seen: NftObservation): Plan {
  const { family } = desired;
  const table = tableOf(family);
  if (seen.table === undefined) {
    return fresh(desired, seen, [{ kind: "table", subject: `table ${table}`, expected: `table ${table}` }]);
  }
  // `dormant` leaves every rule in place and switches all of them off: what they say does not matter.
  if (!harmlessFlags(seen.table)) {
    const found = `flags ${seen.table.flags.join(",")}`;
    return fresh(desired, seen, [{ kind: "table", subject: `table ${table}`, expected: "no flags", found }]);
  }
  const frame = compareFrame(desired, seen.table);
  const rules = compareRules(desired, seen.table);
  const elements = compareElements(desired, seen.table);
  const compare = () => [...frame, ...rules, ...elements.differences()];
  if (seen.table.chain === undefined) return fresh(desired, seen, compare());
  if (frame.length > 0) return whole(desired, seen, compare());
  if (rules.length + elements.add.length + elements.removed === 0) {
    return { family, differences: [], transaction: "", summary: "" };
  }
  let differences: readonly Difference[] | undefined;
  const parts = [
    elements.add.length > 0 && `adds ${elements.add.length}`,
    elements.removed > 0 && `removes ${elements.removed}`,
  ].filter((part) => typeof part === "string");
  const what = [
    ...(parts.length > 0 ? [`${parts.join(", ")} elements of set ${setName}`] : []),
    ...(rules.length > 0 ? [`rewrites ${desired.rules.length} rules`] : []),
  ];
  return {
    family,
    /** Made when asked for: a new policy is written without, and 50,000 elements take as long to name as to compare. */
    get differences() {
      differences ??= compare();
      return differences;
    },
    transaction: renderEdits(
      family,
      {
        ...(parts.length > 0 && { elements: elementEdits(desired, elements) }),
        ...(rules.length > 0 && { rules: desired.rules }),
      },
      flagsNow(desired, seen),
    ),
    summary: `${what.join(", ")} in table ${table}`,
  };
}

function elementEdits({ exempt }: NftRuleset, { add, remove, removed }: ElementChanges): NftElementEdits {
  const refill = exempt.prefixes.length <= smallSet || remove.length < removed || add.length + removed > fewChanges;
  return refill ? { kind: "refill", all: exempt.prefixes } : { kind: "difference", remove, add };
}

/** Where nothing of ours decides any packet. */
function fresh(desired: NftRuleset, seen: NftObservation, differences: readonly Difference[]): Plan {
  return { ...whole(desired, seen, differences), transaction: renderFresh(desired, flagsNow(desired, seen)) };
}

/** The flags that mentioning the table takes: ours, or the one that an owner left behind. */
function flagsNow(desired: NftRuleset, { table }: NftObservation): string {
  return desired.protect ? ownFlags(true) : table?.flags.includes("persist") ? "persist" : "";
}

function whole(desired: NftRuleset, seen: NftObservation, differences: readonly Difference[]): Plan {
  const count = desired.exempt.prefixes.length;
  return {
    family: desired.family,
    differences,
    transaction: renderWhole(desired, flagsNow(desired, seen)),
    summary: `rewrites table ${tableOf(desired.family)} with ${count} exempt prefixes and ${desired.rules.length} rules`,
  };
}

function compareFrame(desired: NftRuleset, table: NftTable): readonly Difference[] {
  const name = tableOf(desired.family);
  const differences: Difference[] = table.extra.map((found) => ({ kind: "extra", subject: `table ${name}`, found }));
  const set = { subject: `set ${setName}`, expected: `set ${setName}` };
  if (table.set === undefined) differences.push({ kind: "missing", ...set });
  else if (table.set.otherShape) differences.push({ kind: "modified", ...set, found: table.set.otherShape });
  const hook = { subject: `chain ${chainName}`, expected: `type nat hook postrouting priority ${hookPriority}` };
  if (table.chain === undefined) differences.push({ kind: "jump", ...hook });
  else if (table.chain.otherHook) differences.push({ kind: "jump", ...hook, found: table.chain.otherHook });
  return differences;
}

function compareRules(desired: NftRuleset, table: NftTable): readonly Difference[] {
  const listed = (rules: readonly NftRule[]) =>
    rules.map((rule) => ({ key: ruleKey(rule), text: renderRule(desired.family, rule) }));
  const found = table.chain?.rules.map(({ rule }) => rule) ?? [];
  return listDifferences(`chain ${chainName}`, listed(desired.rules), listed(found));
}

interface ElementChanges {
  readonly add: readonly Prefix[];
  readonly remove: readonly AddressRange[];
  /** How many go in all: beyond those of `remove`, elements of a kind that we never write. */
  readonly removed: number;
  differences(): readonly Difference[];
}

function compareElements(desired: NftRuleset, table: NftTable): ElementChanges {
  const { family, exempt } = desired;
  const subject = `set ${setName}`;
  const ranges: AddressRange[] = [];
  const foreign: string[] = [];
  // A set that is gone, or of another shape, is one difference, whatever was in it.
  if (table.set === undefined || table.set.otherShape)
    return { add: [], remove: [], removed: 0, differences: () => [] };
  for (const element of table.set.elements) {
    if ("foreign" in element) foreign.push(element.foreign);
    else ranges.push(element);
  }
  const add: Prefix[] = [];
  const remove: AddressRange[] = [];
  // Both sides in order, like closing a zip: a map keyed by big integers hashes IPv6 networks into few buckets.
  ranges.sort(byFirst);
  let next = 0;
  for (const prefix of exempt.prefixes) {
    let range = ranges[next];
    for (; range !== undefined && range.first < prefix.first; range = ranges[++next]) remove.push(range);
    if (range?.first === prefix.first && range.last === lastOf(prefix)) next++;
    else add.push(prefix);
  }
  for (const range of ranges.slice(next)) remove.push(range);
  const differences = (): readonly Difference[] => [
    ...add.map((prefix) => ({ kind: "missing" as const, subject, expected: formatPrefix(prefix) })),
    ...remove.map((range) => ({ kind: "extra" as const, subject, found: renderRange(family, range) })),
    ...foreign.map((text) => ({ kind: "extra" as const, subject, found: text })),
  ];
  return { add, remove, removed: remove.length + foreign.length, differences };
}

function byFirst(a: AddressRange, b: AddressRange): number {
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}
