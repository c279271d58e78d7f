import type { Status } from "../status/status.ts";

/** What a row of `kubectl masq status` says of a node's agent. */
export interface Summary {
  readonly backend: string;
  readonly variant: string;
  readonly toolVersion: string;
  readonly version: string;
  /** First 12 hex digits of the policy's hash; empty: none is in force. */
  readonly policy: string;
  readonly inSync: boolean;
  readonly notReady?: string;
  /** Drifts in the last hour, and whether there were more than the agent keeps. */
  readonly drifts: number;
  readonly driftsAtLeast: boolean;
  readonly warnings: number;
  /** Why the newest config is refused. */
  readonly refused?: string;
  /** There is no config, though one is called for: what is in force, and the remedy. */
  readonly missing?: string;
}

const hourSeconds = 3_600;
/** As many drifts as an agent keeps. */
const kept = 50;

/** `now`: for agents that do not tell how old a drift is; milliseconds since the epoch. */
export function summaryOf(status: Status, now: number): Summary {
  const drifts = status.drifts.filter(
    ({ at, ageSeconds = (now - Date.parse(at)) / 1000 }) => ageSeconds < hourSeconds,
  ).length;
  const { refused: [refused] = [], warnings, warningCount, missing } = status.config;
  return {
    backend: status.backend?.name ?? "none",
    variant: status.backend?.variant ?? "",
    toolVersion: status.backend?.toolVersion ?? "",
    version: status.binaryVersion,
    policy: status.config.hash ?? "",
    inSync: status.notReady === undefined,
    ...(status.notReady !== undefined && { notReady: status.notReady }),
    ...{ drifts, driftsAtLeast: drifts >= kept, warnings: warningCount ?? warnings.length },
    ...(refused !== undefined && { refused }),
    ...(missing !== undefined && { missing: missing.why }),
  };
}

/** Nodes that differ from what most have. */
export interface Difference {
  readonly what: "policy" | "backend" | "version";
  readonly value: string;
  /** Absent: no value has more nodes than every other. */
  readonly majority?: string;
  readonly nodes: readonly string[];
}

/** What more nodes have than any other value is the majority; among equals there is none, and all of them differ. */
export function differences(summaries: ReadonlyMap<string, Summary>): readonly Difference[] {
  return (["policy", "backend", "version"] as const).flatMap((what) => {
    const groups = [...Map.groupBy(summaries, ([, summary]) => summary[what])].toSorted(
      ([a, ofA], [b, ofB]) => ofB.length - ofA.length || a.localeCompare(b),
    );
    const [first, second] = groups;
    if (first === undefined || second === undefined) return [];
    const [majority, own] = first;
    const isMajority = own.length > second[1].length;
    return (isMajority ? groups.slice(1) : groups).map(
      ([value, others]): Difference => ({
        ...{ what, value, nodes: others.map(([node]) => node) },
        ...(isMajority && { majority }),
      }),
    );
  });
}
