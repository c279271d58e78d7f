import { BackendError, type Family } from "@ip-masq-agent/core";
import { tableOf } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";

/** Deletes our table of the family. A host without nft, or without nf_tables in the kernel, cannot have one. */
export async function removeTable(runner: NftRunner, family: Family, signal: AbortSignal): Promise<readonly string[]> {
  const table = `table ${tableOf(family)}`;
  if (!(await tableNames(runner, signal)).includes(table)) return [];
  await runNft(runner, { arguments: ["delete", ...table.split(" ")], operation: "cleanup", family, signal });
  return [table];
}

/** The names of all tables, as `table ip nat`; nothing of what is in them, which an old nft may not be able to read. */
export async function tableNames(runner: NftRunner, signal: AbortSignal): Promise<readonly string[]> {
  try {
    const text = await runNft(runner, { arguments: ["list", "tables"], operation: "cleanup", signal });
    return (text ?? "").split("\n").map((line) => line.trim());
  } catch (error) {
    const absent = error instanceof BackendError && (error.reason === "tool_missing" || error.reason === "unsupported");
    if (absent) return [];
    throw error;
  }
}
