import type { Backend } from "@ip-masq-agent/core";
import { removableRules, removeRules } from "./cleanup.ts";
import { type IptablesRunner, runRestore } from "./iptables.ts";
import type { Variant } from "./names.ts";
import { type IptablesObservation, observeTable } from "./observe.ts";
import { planChange } from "./plan.ts";
import { type IptablesCapabilities, probe } from "./probe.ts";
import { type IptablesRuleset, rulesetOf } from "./ruleset.ts";

export interface IptablesOptions {
  readonly variant: Variant;
  /** Our chain's name. Default IP-MASQ-AGENT, as in the Go original. */
  readonly chain?: string;
  /** Words put before every command, such as `nsenter --net=… --` in tests. Default: none. */
  readonly launcher?: readonly string[];
  /** Limit for one run of a tool in milliseconds. Default 30,000. */
  readonly timeoutMs?: number;
  /** How long a write waits for the xtables lock, in whole seconds. Default 5; legacy only. */
  readonly lockWaitSeconds?: number;
}

/** The backend that writes with iptables-restore and reads back with iptables-save. One process for each. */
export function createIptablesBackend(
  options: IptablesOptions,
): Backend<IptablesRuleset, IptablesObservation, IptablesCapabilities> {
  const chain = options.chain ?? "IP-MASQ-AGENT";
  const runner = runnerOf(options);
  return {
    name: runner.name,
    probe: (signal) => probe(runner, signal),
    render: (policy, can) => rulesetOf(policy, chain, can),
    observe: (family, signal) => observeTable(runner, chain, family, signal),
    plan: (desired, seen) => planChange(desired, seen),
    apply: (plan, signal) => runRestore(runner, "apply", plan.family, plan.transaction, signal),
    cleanup: (family, signal) => removeRules(runner, chain, family, signal),
    removable: (family, signal) => removableRules(runner, chain, family, signal),
  };
}

export function runnerOf(options: IptablesOptions): IptablesRunner {
  return {
    name: `iptables-${options.variant}`,
    variant: options.variant,
    launcher: options.launcher ?? [],
    timeoutMs: options.timeoutMs ?? 30_000,
    lockWaitSeconds: options.lockWaitSeconds ?? 5,
    plainTools: new Set(),
  };
}
