import { addressBits, hostMask, lastOf, networkOf, type Prefix, type PrefixSet } from "@ip-masq-agent/core";
import { translateChain, translateComment, treeChain } from "./names.ts";
import type { IptablesChain, IptablesRule } from "./rule.ts";

/**
 * Up to this many exempt prefixes stand in one chain, one rule each, as in the Go original: a new flow costs within
 * 2 µs of the tree there, and an operator reads it at a glance.
 */
export const flatLimit = 64;

/** A node with no more rules than this has no chains below it. */
const leafSize = 8;
/**
 * Levels below our chain. nf_tables refuses a path of more than 16 chains (EMLINK), and ours begins in POSTROUTING and
 * ends in the translation. Only sets like "a prefix of every length" reach it: what is left there stands in one leaf.
 */
const deepestLevel = 12;
/** Bits by which one level of the tree splits: at most 8 ways. */
const levelBits = 3;

/**
 * The chains that exempt a set and send everything else to `translation`. In the tree layout a packet walks from node
 * to node by goto, at most eight rules in each; goto leaves nothing on the kernel's stack, and a packet that falls off
 * a chain entered by goto returns to POSTROUTING untouched: so every node ends with a goto to the translation.
 */
export function exemptChains(
  chain: string,
  exempt: PrefixSet,
  translation: readonly IptablesRule[],
): readonly IptablesChain[] {
  if (exempt.prefixes.length <= flatLimit) {
    return [{ name: chain, rules: [...exempt.prefixes.map(exemptRule), ...translation] }];
  }
  const chains: IptablesChain[] = [];
  growNode(chain, exempt.prefixes, 0, chains);
  return [...chains, { name: translateChain, rules: translation }];
}

/** Adds the chain for these prefixes (sorted, disjoint) and all chains below it; parents come first. */
function growNode(name: string, prefixes: readonly Prefix[], level: number, chains: IptablesChain[]): void {
  const isLeaf = prefixes.length <= leafSize || level === deepestLevel;
  const below: { readonly name: string; readonly prefixes: readonly Prefix[] }[] = [];
  const rules: IptablesRule[] = [];
  for (const group of isLeaf ? prefixes.map((prefix) => [prefix]) : splitGroups(prefixes)) {
    const [only] = group;
    if (only === undefined) continue;
    if (group.length === 1) {
      rules.push(exemptRule(only));
    } else {
      const range = commonPrefix(group);
      const child = treeChain(range);
      rules.push({ destination: range, action: { kind: "goto", chain: child } });
      below.push({ name: child, prefixes: group });
    }
  }
  // The comment marks our chain as an agent's for one that goes by another chain name; those below go by their names.
  const mark = level === 0 && { comment: translateComment };
  chains.push({ name, rules: [...rules, { ...mark, action: { kind: "goto", chain: translateChain } }] });
  for (const child of below) growNode(child.name, child.prefixes, level + 1, chains);
}

/** Cuts prefixes into groups by the bits that follow what all have in common; long common runs cost no level. */
function splitGroups(prefixes: readonly Prefix[]): readonly (readonly Prefix[])[] {
  const { family, length } = commonPrefix(prefixes);
  // No more ways than leaves are needed: half-empty leaves would only be more chains to write and to read back.
  const ways = Math.ceil(Math.log2(prefixes.length / leafSize));
  const cut = Math.min(addressBits(family), length + Math.min(levelBits, Math.max(1, ways)));
  const groups: (readonly Prefix[])[] = [];
  let from = 0;
  for (let head = prefixes[0]; head !== undefined; head = prefixes[from]) {
    const end = endOfGroup(prefixes, from, head.first | hostMask(family, cut));
    groups.push(prefixes.slice(from, end));
    from = end;
  }
  return groups;
}

/** The index of the first prefix after `from` that begins beyond `last`; binary search. */
function endOfGroup(prefixes: readonly Prefix[], from: number, last: bigint): number {
  let low = from + 1;
  let high = prefixes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((prefixes[middle] as Prefix).first > last) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The longest prefix that holds all of these. */
function commonPrefix(prefixes: readonly Prefix[]): Prefix {
  const [head, tail] = [prefixes[0], prefixes.at(-1)];
  if (head === undefined || tail === undefined) throw new RangeError("a node of the tree without prefixes");
  const bits = addressBits(head.family);
  const differing = (head.first ^ lastOf(tail)).toString(2).length;
  const length = head.first === lastOf(tail) ? bits : bits - differing;
  return { family: head.family, first: networkOf(head.first, length, bits), length };
}

function exemptRule(destination: Prefix): IptablesRule {
  return { destination, action: { kind: "return" } };
}
