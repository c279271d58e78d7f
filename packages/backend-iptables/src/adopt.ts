import { commentPrefix, hookChain, isTreeChain } from "./names.ts";
import { type SavedTable, splitWords, targetOf } from "./parse.ts";

/** Chains of earlier runs under another name, and the rules of POSTROUTING that lead to them, as printed. */
export interface Leftovers {
  readonly chains: readonly string[];
  readonly jumps: readonly string[];
}

/**
 * The Go original wrote comments that begin `ip-masq-agent:` on its jump (most versions) and on the rules of its chain
 * (all of them), and so do we: a chain that such a jump leads to, or that holds such a rule, was an agent's own. What
 * carries no such comment is somebody else's, whatever its name.
 */
export function findLeftovers(table: SavedTable, chain: string): Leftovers {
  const commented = table.rules.filter(({ text }) => commentOf(text)?.startsWith(commentPrefix));
  const names = commented.map((rule) => (rule.chain === hookChain ? targetOf(rule.text) : rule.chain));
  const exists = new Set(table.chains);
  const chains = [...new Set(names)].filter(
    (name) => name !== undefined && name !== chain && !isTreeChain(name) && exists.has(name),
  ) as string[];
  const jumps = table.rules.filter((rule) => rule.chain === hookChain && chains.includes(targetOf(rule.text) ?? ""));
  return { chains, jumps: jumps.map(({ text }) => text) };
}

function commentOf(text: string): string | undefined {
  const words = splitWords(text);
  const at = words.indexOf("--comment");
  return at < 0 ? undefined : words[at + 1];
}
