import { setImmediate } from "node:timers/promises";
import {
  BackendError,
  type Counters,
  escapeForeign,
  type Family,
  type FamilyPolicy,
  type Observation,
} from "@ip-masq-agent/core";
import { findLeftovers, type Leftovers, suspectChains } from "./adopt.ts";
import { type IptablesRunner, runSave } from "./iptables.ts";
import { commentPrefix, hookChain, isTreeChain, treePrefix } from "./names.ts";
import { isJump, parseRule, parseSave, type SavedRule, type SavedTable, targetOf } from "./parse.ts";
import { renderRule } from "./render.ts";
import type { IptablesChain } from "./rule.ts";
import { policyOf, rulesetOf } from "./ruleset.ts";

/** Our chains and jumps as they are in the kernel. */
export interface IptablesObservation extends Observation {
  /** Our chain and those of the tree, each with its rules as text in our own spelling. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Rules of POSTROUTING that lead to any chain of ours, as printed. */
  readonly jumps: readonly { readonly text: string; readonly valid: boolean }[];
  /** What the Go original, or we under another name, left behind. */
  readonly leftovers: Leftovers;
  /** Chains of ours that rules of others lead to: they can be emptied but not removed. */
  readonly pinned: ReadonlySet<string>;
}

/** Of so many characters, some 10,000 rules, it takes tens of milliseconds to make anything. */
const largeText = 1_000_000;

/** Reads the nat table once; a table that is not whole rejects, as does a failing tool, and is never "empty". */
export async function observeTable(
  runner: IptablesRunner,
  chain: string,
  family: Family,
  signal: AbortSignal,
): Promise<IptablesObservation> {
  const text = await runSave(runner, family, signal);
  const observation = observationOf(family, chain, text);
  // To read a large table takes as long as to compare it: others have their turn in between.
  if (text.length > largeText) await setImmediate();
  if (observation !== undefined) return observation;
  throw new BackendError({
    reason: "other",
    backend: runner.name,
    operation: "observe",
    family,
    message: `the nat table cannot be read: what iptables-save printed is not whole, from *nat to COMMIT (${said(text)})`,
  });
}

/** iptables-nft-save ends well and prints one comment where nft wrote rules into the table that it cannot tell. */
function said(text: string): string {
  const line = text.split("\n").find((comment) => comment.includes("incompatible"));
  return line === undefined ? `${text.length} characters` : escapeForeign(line.replace(/^# /, ""), 200);
}

/** The observation that saved text amounts to; undefined where the text is not whole. */
export function observationOf(family: Family, chain: string, text: string): IptablesObservation | undefined {
  const isOurs = (name: string) => name === chain || isTreeChain(name);
  const words = [commentPrefix, chain, treePrefix];
  const concerns = (name: string, line: string) =>
    name === hookChain || isOurs(name) || words.some((word) => line.includes(word));
  const ours = parseSave(text, concerns);
  if (ours === undefined) return undefined;
  const suspects = suspectChains(ours, chain);
  // The second reading is for the day of a new chain name, and keeps all rules in and to the chains under the old one.
  words.push(...suspects);
  const table = suspects.size === 0 ? ours : (parseSave(text, concerns) ?? ours);
  const leftovers = findLeftovers(family, table, suspects);

  const own = table.rules.filter((rule) => isOurs(rule.chain));
  const chains = new Map<string, string[]>();
  for (const name of table.chains) if (isOurs(name)) chains.set(name, []);
  for (const rule of own) chains.get(rule.chain)?.push(inOurSpelling(family, rule.text));
  const jumps = table.rules
    .filter((rule) => rule.chain === hookChain && isOurs(targetOf(rule.text) ?? ""))
    .map(({ text: jump }) => ({ text: jump, valid: isJump(parseRule(family, jump), chain) }));
  const pinned = pinnedChains(table, isOurs, leftovers);
  const inUse = new Map([...chains].filter(([name]) => !isSpent(name, { chains, pinned })));
  let policy: { readonly read: FamilyPolicy | undefined } | undefined;
  return {
    family,
    chains,
    jumps,
    leftovers,
    pinned,
    present: inUse.size + jumps.length + leftovers.chains.length + leftovers.jumps.length > 0,
    counters: countersOf(own),
    /** Read when first asked for: at every resync nobody does, and for a tree it costs more than the comparison. */
    get policy() {
      policy ??= { read: readPolicy(family, chain, inUse, jumps) };
      return policy.read;
    },
  };
}

/** A chain that others still lead to can only be emptied; once it is, there is nothing left to do with it. */
export function isSpent(name: string, { chains, pinned }: Pick<IptablesObservation, "chains" | "pinned">): boolean {
  return pinned.has(name) && chains.get(name)?.length === 0;
}

/**
 * Almost every line is one of the two forms that all versions print as we do, and the others are read and written anew.
 * The dot: the C library prints `::1.2.3.4`, which is `::102:304` to us.
 */
function inOurSpelling(family: Family, text: string): string {
  const known = family === "IPv4" ? /^-d \S+ (?:-j RETURN|-g \S+)$/ : /^-d [^\s.]+ (?:-j RETURN|-g \S+)$/;
  if (known.test(text)) return text;
  const rule = parseRule(family, text);
  return rule === undefined ? text : renderRule(rule);
}

/** Chains of ours, or left over, that a rule of somebody else's chain leads to. */
function pinnedChains(
  { rules }: SavedTable,
  isOurs: (name: string) => boolean,
  leftovers: Leftovers,
): ReadonlySet<string> {
  const old = new Set(leftovers.chains);
  const foreign = rules.filter((rule) => !isOurs(rule.chain) && rule.chain !== hookChain && !old.has(rule.chain));
  const targets = foreign.map((rule) => targetOf(rule.text) ?? "");
  return new Set(targets.filter((target) => isOurs(target) || old.has(target)));
}

function readPolicy(
  family: Family,
  chain: string,
  chains: ReadonlyMap<string, readonly string[]>,
  jumps: IptablesObservation["jumps"],
): FamilyPolicy | undefined {
  if (jumps.length !== 1 || !jumps[0]?.valid || !chains.has(chain)) return undefined;
  const parsed: IptablesChain[] = [];
  for (const [name, texts] of chains) {
    const rules = texts.map((text) => parseRule(family, text));
    if (!rules.every((rule) => rule !== undefined)) return undefined;
    parsed.push({ name, rules });
  }
  const policy = policyOf(family, parsed);
  if (policy === undefined) return undefined;
  const same = rulesetOf(policy, chain, { variant: "", toolVersion: "", randomFully: true }).chains;
  const equal =
    same.length === chains.size &&
    same.every(({ name, rules }) => rules.map(renderRule).join("\n") === chains.get(name)?.join("\n"));
  return equal ? policy : undefined;
}

function countersOf(rules: readonly SavedRule[]): Counters {
  const counters = { exemptPackets: 0, masqueradedPackets: 0, masqueradedBytes: 0 };
  for (const { text, packets, bytes } of rules) {
    if (text.endsWith("-j RETURN")) counters.exemptPackets += packets;
    if (!text.includes("-j MASQUERADE")) continue;
    counters.masqueradedPackets += packets;
    counters.masqueradedBytes += bytes;
  }
  return counters;
}
