import type { Backend, Family } from "@ip-masq-agent/core";
import { hasTable, removableTables, removeTable } from "./cleanup.ts";
import { createHolder } from "./holder.ts";
import { backendName, bridgeTableOf } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";
import { type NftObservation, observeTable } from "./observe.ts";
import { planChange } from "./plan.ts";
import { type NftCapabilities, probe } from "./probe.ts";
import type { Protect } from "./protection.ts";
import { type NftRuleset, rulesetOf } from "./ruleset.ts";
import { writePlan } from "./write.ts";

export interface NftablesOptions {
  /** Words put before every command, such as `nsenter --net=… --` in tests. Default: none. */
  readonly launcher?: readonly string[];
  /** Limit for one run of nft in milliseconds. Default 30,000: 100,000 elements take about two seconds. */
  readonly timeoutMs?: number;
  /** Whether the tables are to be owned, so that nobody else can change them. Default off. */
  readonly protect?: Protect;
  /** The process that held the tables has ended by itself: until the next write they belong to nobody. */
  onHolderLost?(): void;
}

/**
 * The backend that reads with `nft -j`, one process for each look, and writes with `nft -f -`, one for each write; or,
 * where it protects its tables, through one process that owns them.
 */
export function createNftablesBackend(
  options: NftablesOptions = {},
): Backend<NftRuleset, NftObservation, NftCapabilities> {
  const runner = runnerOf(options);
  const protect = options.protect ?? "off";
  const holder = protect === "off" ? undefined : createHolder(runner, () => options.onHolderLost?.());
  // What the probe said: until then, and where it is not possible, writes go the plain way.
  let protects = false;
  // Looked for once in a process' life, and again where a takeover may have been cut short.
  const unchecked = new Set<Family>(["IPv4", "IPv6"]);

  async function bridge(family: Family, signal: AbortSignal): Promise<boolean> {
    if (!unchecked.has(family)) return false;
    const found = await hasTable(runner, family, bridgeTableOf(family), "observe", signal);
    if (!found) unchecked.delete(family);
    return found;
  }

  return {
    name: backendName,
    async probe(signal) {
      const can = await probe(runner, protect, signal);
      protects = can.protects;
      return can;
    },
    render: (policy, can) => rulesetOf(policy, can),
    observe: (family, signal) =>
      observeTable(runner, family, { bridge, holds: (own) => holder?.holds(own) ?? false }, signal),
    plan: (desired, seen) => planChange(desired, seen),
    async apply(plan, signal, onStep) {
      try {
        await writePlan(runner, protects ? holder : undefined, plan, signal, onStep);
      } catch (error) {
        unchecked.add(plan.family);
        throw error;
      }
    },
    cleanup: (family, signal) => removeTable(runner, holder, family, signal),
    removable: (family, signal) => removableTables(runner, family, signal),
    async close() {
      await holder?.[Symbol.asyncDispose]();
    },
  };
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
