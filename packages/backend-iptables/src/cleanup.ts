import { BackendError, type Family } from "@ip-masq-agent/core";
import { type IptablesRunner, readProc, runRestore } from "./iptables.ts";
import { hookChain, legacyTablesFile } from "./names.ts";
import { isSpent, observeTable } from "./observe.ts";
import { renderRestore } from "./render.ts";

/**
 * Removes our jumps, our chain, the tree and leftovers of earlier runs, in one transaction. A host without the tool, or
 * whose kernel has no such table, has none of them.
 */
export async function removeRules(
  runner: IptablesRunner,
  chain: string,
  family: Family,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!(await mayHoldRules(runner, family, signal))) return [];
  const seen = await observeTable(runner, chain, family, signal).catch((error: unknown) => {
    const absent = error instanceof BackendError && (error.reason === "tool_missing" || error.reason === "unsupported");
    if (absent) return undefined;
    throw error;
  });
  if (seen === undefined) return [];
  const jumps = [...seen.jumps.map(({ text }) => text), ...seen.leftovers.jumps];
  const chains = [...seen.chains.keys(), ...seen.leftovers.chains].filter((name) => !isSpent(name, seen));
  if (jumps.length + chains.length === 0) return [];
  const transaction = renderRestore({
    chains: chains.filter((name) => seen.pinned.has(name)).map((name) => ({ name, rules: [] })),
    drop: chains.filter((name) => !seen.pinned.has(name)),
    remove: jumps.map((text) => `${hookChain} ${text}`),
    append: [],
  });
  await runRestore(runner, "cleanup", family, transaction, signal);
  return [...jumps.map((text) => `rule -A ${hookChain} ${text}`), ...chains.map((name) => `chain ${name}`)];
}

/** Only looking for legacy rules would load the legacy modules, for good, on a node that never had them. */
export async function mayHoldRules(runner: IptablesRunner, family: Family, signal: AbortSignal): Promise<boolean> {
  if (runner.variant === "nft") return true;
  const tables = await readProc(runner, legacyTablesFile(family), signal);
  return tables?.split("\n").includes("nat") ?? false;
}
