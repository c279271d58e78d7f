import { BackendError, type Family } from "@ip-masq-agent/core";
import { type IptablesRunner, readProc, runRestore } from "./iptables.ts";
import { hookChain, legacyTablesFile } from "./names.ts";
import { type IptablesObservation, isSpent, observeTable } from "./observe.ts";
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
  const own = await findOwn(runner, chain, family, signal);
  if (own === undefined) return [];
  const { seen, jumps, chains } = own;
  const transaction = renderRestore({
    chains: chains.filter((name) => seen.pinned.has(name)).map((name) => ({ name, rules: [] })),
    drop: chains.filter((name) => !seen.pinned.has(name)),
    remove: jumps.map((text) => `${hookChain} ${text}`),
    append: [],
  });
  await runRestore(runner, "cleanup", family, transaction, signal);
  return named(own);
}

/** What `removeRules` would remove. */
export async function removableRules(
  runner: IptablesRunner,
  chain: string,
  family: Family,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const own = await findOwn(runner, chain, family, signal);
  return own === undefined ? [] : named(own);
}

interface Own {
  readonly seen: IptablesObservation;
  readonly jumps: readonly string[];
  readonly chains: readonly string[];
}

/** Undefined: nothing of ours is there. */
async function findOwn(
  runner: IptablesRunner,
  chain: string,
  family: Family,
  signal: AbortSignal,
): Promise<Own | undefined> {
  if (!(await mayHoldRules(runner, family, signal))) return undefined;
  const seen = await observeTable(runner, chain, family, signal).catch((error: unknown) => {
    const absent = error instanceof BackendError && (error.reason === "tool_missing" || error.reason === "unsupported");
    if (absent) return undefined;
    throw error;
  });
  if (seen === undefined) return undefined;
  const jumps = [...seen.jumps.map(({ text }) => text), ...seen.leftovers.jumps];
  const chains = [...seen.chains.keys(), ...seen.leftovers.chains].filter((name) => !isSpent(name, seen));
  return jumps.length + chains.length === 0 ? undefined : { seen, jumps, chains };
}

function named({ jumps, chains }: Own): readonly string[] {
  return [...jumps.map((text) => `rule -A ${hookChain} ${text}`), ...chains.map((name) => `chain ${name}`)];
}

/** Only looking for legacy rules would load the legacy modules, for good, on a node that never had them. */
export async function mayHoldRules(runner: IptablesRunner, family: Family, signal: AbortSignal): Promise<boolean> {
  if (runner.variant === "nft") return true;
  const tables = await readProc(runner, legacyTablesFile(family), signal);
  return tables?.split("\n").includes("nat") ?? false;
}
