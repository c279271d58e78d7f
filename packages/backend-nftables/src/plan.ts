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
import { harmlessFlags, type NftObservation, type NftTable } from "./observe.ts";
import { renderElements, renderRange, renderRule, renderWhole } from "./render.ts";
import { type NftRule, type NftRuleset, ruleKey } from "./ruleset.ts";

/**
 * The differences, and what ends them: the set's elements alone where nothing else differs and few do (the counters
 * live on), otherwise the whole table.
 */
export function planChange(desired: NftRuleset, seen: NftObservation): Plan {
  const { family } = desired;
  const table = tableOf(family);
  if (seen.table === undefined) {
    return whole(desired, [{ kind: "table", subject: `table ${table}`, expected: `table ${table}` }]);
  }
  const elements = compareElements(desired, seen.table);
  const differences = [...compareTable(desired, seen.table), ...compareRules(desired, seen.table)];
  if (differences.length > 0 || elements.foreign.length > 0) {
    return whole(desired, [...differences, ...elements.differences]);
  }
  const { add, remove } = elements;
  if (add.length === 0 && remove.length === 0) return { family, differences: [], transaction: "", summary: "" };
  const few = add.length + remove.length <= Math.max(64, desired.exempt.prefixes.length / 4);
  if (!few || overlap(add, remove)) return whole(desired, elements.differences);
  return {
    family,
    differences: elements.differences,
    transaction: renderElements(family, remove, add),
    summary: `adds ${add.length} and removes ${remove.length} elements of set ${setName} in table ${table}`,
  };
}

function whole(desired: NftRuleset, differences: readonly Difference[]): Plan {
  const count = desired.exempt.prefixes.length;
  return {
    family: desired.family,
    differences,
    transaction: renderWhole(desired),
    summary: `rewrites table ${tableOf(desired.family)} with ${count} exempt prefixes and ${desired.rules.length} rules`,
  };
}

function compareTable(desired: NftRuleset, table: NftTable): readonly Difference[] {
  const name = tableOf(desired.family);
  const differences: Difference[] = table.extra.map((found) => ({ kind: "extra", subject: `table ${name}`, found }));
  // `dormant` leaves every rule in place and switches all of them off.
  if (!harmlessFlags(table)) {
    differences.push({
      kind: "table",
      subject: `table ${name}`,
      expected: "no flags",
      found: `flags ${table.flags.join(",")}`,
    });
  }
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
  readonly foreign: readonly string[];
  readonly differences: readonly Difference[];
}

function compareElements(desired: NftRuleset, table: NftTable): ElementChanges {
  const { family, exempt } = desired;
  const subject = `set ${setName}`;
  const ranges: AddressRange[] = [];
  const foreign: string[] = [];
  for (const element of table.set?.elements ?? []) {
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
  const differences: Difference[] = [
    ...add.map((prefix) => ({ kind: "missing" as const, subject, expected: formatPrefix(prefix) })),
    ...remove.map((range) => ({ kind: "extra" as const, subject, found: renderRange(family, range) })),
    ...foreign.map((text) => ({ kind: "extra" as const, subject, found: text })),
  ];
  // Without its set, or in another shape of it, every element is gone with one word.
  return { add, remove, foreign, differences: table.set === undefined ? [] : differences };
}

/** Deleting an element and adding another that overlaps it in one transaction has been refused by kernels; rewrite. */
function overlap(add: readonly Prefix[], remove: readonly AddressRange[]): boolean {
  const removed = remove.toSorted(byFirst);
  let next = 0;
  for (const prefix of add) {
    let range = removed[next];
    while (range !== undefined && range.last < prefix.first) range = removed[++next];
    if (range !== undefined && range.first <= lastOf(prefix)) return true;
  }
  return false;
}

function byFirst(a: AddressRange, b: AddressRange): number {
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}
