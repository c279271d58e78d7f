import type { Family, Plan } from "@ip-masq-agent/core";
import { removeTable } from "./cleanup.ts";
import type { Holder } from "./holder.ts";
import { type NftRunner, runNft } from "./nft.ts";
import { transactionEnd } from "./render.ts";

/** Runs one transaction, whole or not at all. */
export type Transact = (family: Family, transaction: string, signal: AbortSignal) => Promise<void>;

/** Each transaction by an nft of its own. */
export function transactOf(runner: NftRunner): Transact {
  return async (family, input, signal) => {
    await runNft(runner, { arguments: ["-f", "-"], operation: "apply", family, input, signal });
  };
}

/**
 * Runs a plan's transactions in order. Of two, the first alone decides nothing; where the second fails, what the first
 * wrote is taken back, so that the plan is in force whole or not at all. A takeover has more, and at each step a table
 * decides: where one fails, the next look finds how far it came.
 */
export async function writePlan(
  runner: NftRunner,
  holder: Holder | undefined,
  { family, transaction }: Plan,
  signal: AbortSignal,
  onStep?: () => void,
): Promise<void> {
  const transact = holder?.run ?? transactOf(runner);
  const transactions = transaction.split(transactionEnd);
  for (const [at, text] of transactions.entries()) {
    try {
      await transact(family, text, signal);
      onStep?.();
    } catch (error) {
      // Not with the caller's signal, which may be what ended it. Should this fail too, the next look finds the set.
      if (at === 1 && transactions.length === 2) await removeTable(runner, holder, family, unhurried()).catch(() => {});
      throw error;
    }
  }
}

function unhurried(): AbortSignal {
  return new AbortController().signal;
}
