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
import { renderEdits, renderRange, renderRule, renderWhole } from "./render.ts";
import { type NftRule, type NftRuleset, ruleKey } from "./ruleset.ts";

/** With more changes than this the set is emptied and filled: deleting 10,000 elements one by one takes half a minute. */
const fewChanges = 64;

/**
 * The differences, and what ends them. A table whose frame is right keeps it: elements and rules change inside, so that
 * every packet meets one whole state, and counters live on where rules do. Otherwise the whole table is written anew.
 */
export function planChange(desired: NftRuleset, seen: NftObservation): Plan {
  const { family } = desired;
  const table = tableOf(family);
  if (seen.table === undefined) {
    return whole(desired, [{ kind: "table", subject: `table ${table}`, expected: `table ${table}` }]);
  }
  // `dormant` leaves every rule in place and switches all of them off: what they say does not matter.
  if (!harmlessFlags(seen.table)) {
    const found = `flags ${seen.table.flags.join(",")}`;
    return whole(desired, [{ kind: "table", subject: `table ${table}`, expected: "no flags", found }]);
  }
  const frame = compareFrame(desired, seen.table);
  const rules = compareRules(desired, seen.table);
  const elements = compareElements(desired, seen.table);
  const differences = [...frame, ...rules, ...elements.differences];
  if (frame.length > 0) return whole(desired, differences);
  if (differences.length === 0) return { family, differences, transaction: "", summary: "" };
  const refill = elements.foreign > 0 || elements.add.length + elements.remove.length > fewChanges;
  const edits = {
    refill,
    remove: refill ? [] : elements.remove,
    add: refill ? desired.exempt.prefixes : elements.add,
    ...(rules.length > 0 && { rules: desired.rules }),
  };
  const parts = [
    refill && `refills set ${setName} with ${edits.add.length} elements`,
    edits.remove.length > 0 && `removes ${edits.remove.length} elements`,
    !refill && edits.add.length > 0 && `adds ${edits.add.length} elements`,
    edits.rules && `rewrites ${desired.rules.length} rules`,
  ];
  return {
    family,
    differences,
    transaction: renderEdits(family, edits),
    summary: `${parts.filter((part) => typeof part === "string").join(", ")} in table ${table}`,
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
  /** How many elements are of a kind that we never write. */
  readonly foreign: number;
  readonly differences: readonly Difference[];
}

function compareElements(desired: NftRuleset, table: NftTable): ElementChanges {
  const { family, exempt } = desired;
  const subject = `set ${setName}`;
  const ranges: AddressRange[] = [];
  const foreign: string[] = [];
  // A set that is gone, or of another shape, is one difference, whatever was in it.
  if (table.set === undefined || table.set.otherShape) return { add: [], remove: [], foreign: 0, differences: [] };
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
  const differences: Difference[] = [
    ...add.map((prefix) => ({ kind: "missing" as const, subject, expected: formatPrefix(prefix) })),
    ...remove.map((range) => ({ kind: "extra" as const, subject, found: renderRange(family, range) })),
    ...foreign.map((text) => ({ kind: "extra" as const, subject, found: text })),
  ];
  return { add, remove, foreign: foreign.length, differences };
}

function byFirst(a: AddressRange, b: AddressRange): number {
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}
