import { formatPortRange, formatPrefix } from "@ip-masq-agent/core";
import type { IptablesRule } from "./ruleset.ts";

/** One rule, less its chain, as iptables-save prints it and iptables-restore takes it. Equal rules give equal text. */
export function renderRule(rule: IptablesRule): string {
  const words: string[] = [];
  // iptables prints the range of all addresses as no range at all.
  if (rule.destination !== undefined && rule.destination.length > 0) words.push(`-d ${formatPrefix(rule.destination)}`);
  if (rule.protocol !== undefined) words.push(`-p ${rule.protocol}`);
  if (rule.notLocal) words.push("-m addrtype ! --dst-type LOCAL");
  if (rule.draws !== undefined) words.push(`-m statistic --mode random --probability ${renderDraws(rule.draws)}`);
  if (rule.comment !== undefined) words.push(`-m comment --comment ${quote(rule.comment)}`);
  switch (rule.action.kind) {
    case "return":
      words.push("-j RETURN");
      break;
    case "jump":
      words.push(`-j ${rule.action.chain}`);
      break;
    case "goto":
      words.push(`-g ${rule.action.chain}`);
      break;
    case "masquerade":
      words.push("-j MASQUERADE");
      if (rule.action.ports !== undefined) words.push(`--to-ports ${formatPortRange(rule.action.ports)}`);
      if (rule.action.randomFully) words.push("--random-fully");
      break;
  }
  return words.join(" ");
}

/** Chains to be emptied (and made where absent) and filled, rules to be taken out, and chains to be removed. */
export interface Change {
  readonly chains: readonly { readonly name: string; readonly rules: readonly string[] }[];
  /** Rules of other chains, as `POSTROUTING -j FOO`. */
  readonly remove: readonly string[];
  readonly append: readonly string[];
  /** Chains that go; nothing may lead to them when the chains above are filled and the rules above are gone. */
  readonly drop: readonly string[];
}

/**
 * The input of `iptables-restore --noflush`: one table, one transaction. A declared chain is emptied, every other one
 * stays as it is. Taken in this order by both variants: declarations, then rules from top to bottom, then removals.
 */
export function renderRestore(change: Change): string {
  return [
    "*nat",
    ...change.chains.map(({ name }) => `:${name} - [0:0]`),
    ...change.drop.map((name) => `:${name} - [0:0]`),
    ...change.chains.flatMap(({ name, rules }) => rules.map((rule) => `-A ${name} ${rule}`)),
    ...change.append.map((rule) => `-A ${rule}`),
    ...change.remove.map((rule) => `-D ${rule}`),
    ...change.drop.map((name) => `-X ${name}`),
    "COMMIT",
    "",
  ].join("\n");
}

/** The kernel keeps the probability as a whole number of 2^31 parts, and iptables prints that to eleven places. */
function renderDraws(draws: number): string {
  return (draws / 2 ** 31).toFixed(11);
}

function quote(comment: string): string {
  return `"${comment.replaceAll(/["\\]/g, "\\$&")}"`;
}
