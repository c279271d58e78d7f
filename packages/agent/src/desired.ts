import {
  type Config,
  type ConfigResult,
  type ConfigSource,
  derivePolicy,
  type Finding,
  hasErrors,
  type Policy,
  readConfig,
} from "@ip-masq-agent/core";
import { fewPorts } from "./few-ports.ts";
import type { Options } from "./flags/flag.ts";
import { meaningOf, missingFinding } from "./sources/missing.ts";
import type { Added, Snapshot } from "./sources/snapshot.ts";

/** What the files and the flags ask for, together. */
export interface Desired {
  readonly policy: Policy;
  /** The policy without what only this node adds: alike on all nodes with the same config and flags. */
  readonly shared: Policy;
  readonly config: Config;
  readonly resyncIntervalMs: number;
}

/** A snapshot understood: what to do, or why not; warnings in both cases. */
export interface Interpretation {
  readonly desired: Desired | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Reads a snapshot by the flags. Refuses whole: no part of a config with an error in it is taken. `had`: an agent asks
 * that has had a config; see `meaningOf`.
 */
export function interpret(snapshot: Snapshot, options: Options, had = false): Interpretation {
  const { missing, remarks = [] } = snapshot;
  if (snapshot.error !== undefined) return { desired: undefined, findings: [...remarks, snapshot.error.finding] };
  const absent = missing && missingFinding(missing, options, had);
  const said = [...remarks, ...(absent === undefined ? [] : [absent])];
  if (missing !== undefined && meaningOf(missing, options, had) !== "defaults")
    return { desired: undefined, findings: said };
  const { config, findings: found } = readOnce(snapshot.sources, options);
  const findings = [...said, ...found, ...fewPorts(options.toPorts)];
  if (config === undefined || hasErrors(findings)) return { desired: undefined, findings };
  const { added } = snapshot;
  const { resyncIntervalMs } = config;
  const shared = derivePolicy(config, options);
  if (added === undefined) return { desired: { policy: shared, shared, config, resyncIntervalMs }, findings };
  const whole = withAdded(config, added, options);
  const policy = derivePolicy(whole, options);
  const desired = { policy, shared, config: whole, resyncIntervalMs };
  return { desired, findings: [...findings, ...added.findings] };
}

/** What files mean, for as long as they are held. At its start the agent asks three times; 50,000 CIDRs take 0.1 s. */
const read = new WeakMap<readonly ConfigSource[], { readonly options: Options; readonly result: ConfigResult }>();

function readOnce(sources: readonly ConfigSource[], options: Options): ConfigResult {
  const known = read.get(sources);
  if (known?.options === options) return known.result;
  const result = readConfig(sources, {
    reservedRanges: options.nomasqAllReservedRanges,
    strict: options.strictConfig,
    enableIPv6: options.enableIPv6,
    resyncIntervalMs: options.resyncInterval,
  });
  read.set(sources, { options, result });
  return result;
}

/** Ranges of a family that is switched off have no rules to be in. */
function withAdded(config: Config, added: Added, { enableIPv6 }: Options): Config {
  const own = added.entries.filter(({ prefix }) => enableIPv6 || prefix.family === "IPv4");
  return { ...config, nonMasqueradeCIDRs: [...config.nonMasqueradeCIDRs, ...own] };
}
