import { BackendError, type Family, type Operation } from "@ip-masq-agent/core";
import { absentTable } from "./failure.ts";
import type { Holder } from "./holder.ts";
import { bridgeTableOf, tableOf } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";

/**
 * Deletes our table of the family, and that of a takeover cut short, and says so. A table that a process of ours owns is
 * deleted through that.
 */
export async function removeTable(
  runner: NftRunner,
  holder: Holder | undefined,
  family: Family,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of await presentTables(runner, family, "cleanup", signal)) {
    const words = ["delete", "table", ...name.split(" ")];
    if (holder?.holds(family)) await holder.run(family, `${words.join(" ")}\n`, signal);
    else await runNft(runner, { arguments: words, operation: "cleanup", family, signal });
    removed.push(named(name));
  }
  return removed;
}

/** What `removeTable` would remove. */
export async function removableTables(
  runner: NftRunner,
  family: Family,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return (await presentTables(runner, family, "observe", signal)).map(named);
}

async function presentTables(
  runner: NftRunner,
  family: Family,
  operation: Operation,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names = [tableOf(family), bridgeTableOf(family)];
  const present = await Promise.all(names.map((name) => hasTable(runner, family, name, operation, signal)));
  return names.filter((_, at) => present[at]);
}

function named(table: string): string {
  return `table ${table}`;
}

/**
 * Whether a table is there. A host without nft, or without nf_tables in the kernel, cannot have one. Asks for it by
 * name: where a newer nft has written, an old one crashes on `list tables`, and on `delete` even of what is not there.
 */
export async function hasTable(
  runner: NftRunner,
  family: Family,
  name: string,
  operation: Operation,
  signal: AbortSignal,
): Promise<boolean> {
  const run = { arguments: ["--terse", "list", "table", ...name.split(" ")], operation, family, signal } as const;
  try {
    return (await runNft(runner, { ...run, absent: absentTable })) !== undefined;
  } catch (error) {
    const cannot = error instanceof BackendError && (error.reason === "tool_missing" || error.reason === "unsupported");
    if (cannot) return false;
    throw error;
  }
}
