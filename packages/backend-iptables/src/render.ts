import { formatPortRange, formatPrefix } from "@ip-masq-agent/core";
import type { Action, IptablesRule } from "./rule.ts";

/** One rule, less its chain, as iptables-save prints it and iptables-restore takes it. Equal rules give equal text. */
export function renderRule(rule: IptablesRule): string {
  const { destination, protocol, notLocal, draws, comment } = rule;
  let text = "";
  // iptables prints the range of all addresses as no range at all.
  if (destination !== undefined && destination.length > 0) text += `-d ${formatPrefix(destination)} `;
  if (protocol !== undefined) text += `-p ${protocol} `;
  if (notLocal) text += "-m addrtype ! --dst-type LOCAL ";
  if (draws !== undefined) text += `-m statistic --mode random --probability ${renderDraws(draws)} `;
  if (comment !== undefined) text += `-m comment --comment ${quote(comment)} `;
  return text + renderAction(rule.action);
}

function renderAction(action: Action): string {
  switch (action.kind) {
    case "return":
      return "-j RETURN";
    case "jump":
      return `-j ${action.chain}`;
    case "goto":
      return `-g ${action.chain}`;
    case "masquerade": {
      const ports = action.ports === undefined ? "" : ` --to-ports ${formatPortRange(action.ports)}`;
      return `-j MASQUERADE${ports}${action.randomFully ? " --random-fully" : ""}`;
    }
  }
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
