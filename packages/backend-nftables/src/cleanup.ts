import { BackendError, type Family } from "@ip-masq-agent/core";
import { absentTable } from "./failure.ts";
import { tableOf } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";

/** Deletes our table of the family, and says so. */
export async function removeTable(runner: NftRunner, family: Family, signal: AbortSignal): Promise<readonly string[]> {
  if (!(await hasTable(runner, family, signal))) return [];
  const table = `table ${tableOf(family)}`;
  await runNft(runner, { arguments: ["delete", ...table.split(" ")], operation: "cleanup", family, signal });
  return [table];
}

/**
 * Whether our table is there. A host without nft, or without nf_tables in the kernel, cannot have one. Asks for it by
 * name: where a newer nft has written, an old one crashes on `list tables`, and on `delete` even of what is not there.
 */
async function hasTable(runner: NftRunner, family: Family, signal: AbortSignal): Promise<boolean> {
  const listing = ["--terse", "list", "table", ...tableOf(family).split(" ")];
  const run = { arguments: listing, operation: "cleanup", family, signal, absent: absentTable } as const;
  try {
    return (await runNft(runner, run)) !== undefined;
  } catch (error) {
    const cannot = error instanceof BackendError && (error.reason === "tool_missing" || error.reason === "unsupported");
    if (cannot) return false;
    throw error;
  }
}
