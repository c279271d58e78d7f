import type { Backend, Plan } from "@ip-masq-agent/core";
import { removeTable } from "./cleanup.ts";
import { backendName } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";
import { type NftObservation, observeTable } from "./observe.ts";
import { planChange } from "./plan.ts";
import { type NftCapabilities, probe } from "./probe.ts";
import { transactionEnd } from "./render.ts";
import { type NftRuleset, rulesetOf } from "./ruleset.ts";

export interface NftablesOptions {
  /** Words put before every command, such as `nsenter --net=… --` in tests. Default: none. */
  readonly launcher?: readonly string[];
  /** Limit for one run of nft in milliseconds. Default 30,000: 100,000 elements take about two seconds. */
  readonly timeoutMs?: number;
}

/** The backend that writes with `nft -f -` and reads back with `nft -j`. One process for each look, one for each write. */
export function createNftablesBackend(
  options: NftablesOptions = {},
): Backend<NftRuleset, NftObservation, NftCapabilities> {
  const runner = runnerOf(options);
  return {
    name: backendName,
    probe: (signal) => probe(runner, signal),
    render: (policy, can) => rulesetOf(policy, can),
    observe: (family, signal) => observeTable(runner, family, signal),
    plan: (desired, seen) => planChange(desired, seen),
    apply: (plan, signal) => writeTable(runner, plan, signal),
    cleanup: (family, signal) => removeTable(runner, family, signal),
  };
}

/**
 * One transaction; or two, of which the first alone decides nothing. Where the second fails, what the first wrote is
 * taken back, so that a plan is in force whole or not at all.
 */
async function writeTable(runner: NftRunner, { family, transaction }: Plan, signal: AbortSignal): Promise<void> {
  const [first = "", second] = transaction.split(transactionEnd);
  const run = { arguments: ["-f", "-"], operation: "apply", family, signal } as const;
  await runNft(runner, { ...run, input: first });
  if (second === undefined) return;
  try {
    await runNft(runner, { ...run, input: second });
  } catch (error) {
    // Not with the caller's signal, which may be what ended it. Should this fail too, the next look finds the set.
    await removeTable(runner, family, new AbortController().signal).catch(() => []);
    throw error;
  }
}

/** Whether kube-proxy runs here in its nftables mode: it has a table of its own name (since Kubernetes 1.29). */
export async function nftablesHasKubeProxy(options: NftablesOptions, signal: AbortSignal): Promise<boolean> {
  const listing = { arguments: ["list", "tables"], operation: "probe", signal } as const;
  const names = (await runNft(runnerOf(options), listing)) ?? "";
  return /^table ip6? kube-proxy$/m.test(names);
}

function runnerOf(options: NftablesOptions): NftRunner {
  return { launcher: options.launcher ?? [], timeoutMs: options.timeoutMs ?? 30_000 };
}
