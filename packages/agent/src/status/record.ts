import {
  type Clock,
  describeKinds,
  type Family,
  type ReconcileEvent,
  type Standing,
  type SyncResult,
} from "@ip-masq-agent/core";
import type { DriftRecord, FamilyStatus, SyncRecord } from "./status.ts";

const mostDrifts = 50;
const mostSyncs = 10;
/** Of one drift; a flushed set of 10,000 is told by its number. */
const mostDifferences = 10;

/** What the loop has told so far, as much as is kept. */
export interface EventRecord {
  onEvent(event: ReconcileEvent): void;
  families(exempt: (family: Family) => number, standings: readonly Standing[]): readonly FamilyStatus[];
  drifts(): readonly DriftRecord[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type FamilyRecord = Mutable<Omit<FamilyStatus, "exemptPrefixes" | "recent" | "syncs">> & {
  readonly syncs: Record<SyncResult, number>;
  recent: readonly SyncRecord[];
};

/** Keeps the last passes and drifts, for whoever asks what happened. */
export function createRecord(enabled: readonly Family[], clock: Clock): EventRecord {
  let drifts: readonly (Mutable<Omit<DriftRecord, "ageSeconds">> & { readonly seenAt: number })[] = [];
  const records = new Map(
    enabled.map((family): [Family, FamilyRecord] => [
      family,
      { family, syncs: { in_sync: 0, applied: 0, failed: 0 }, driftDetected: 0, conflicts: 0, recent: [] },
    ]),
  );

  return {
    onEvent(event) {
      const record = records.get(event.family);
      if (record === undefined) return;
      const at = new Date(event.at).toISOString();
      if (event.type === "drift") {
        const { backend, family, differences, by } = event;
        record.driftDetected += differences.length;
        const drift = {
          ...{ at, backend, family, kinds: describeKinds(differences), total: differences.length },
          differences: differences.slice(0, mostDifferences),
          ...(by !== undefined && { by }),
          seenAt: clock.monotonic(),
        };
        if (event.undone) for (const old of drifts) if (old.family === family && isOpen(old)) old.undone = true;
        drifts = [...drifts, drift].slice(-mostDrifts);
      } else if (event.type === "conflict") {
        if (event.state !== "over") record.conflicts++;
      } else if (event.type === "synced") {
        record.syncs[event.result]++;
        const { trigger, result, durationMs, summary, error } = event;
        const pass = { at, trigger, result, durationMs, summary, ...(error && { error: error.message }) };
        record.recent = [...record.recent, pass].slice(-mostSyncs);
        const counters = event.readings.at(-1)?.counters;
        if (counters !== undefined) record.counters = counters;
        if (event.repair?.result === "repaired") {
          for (const drift of drifts) {
            if (drift.family === event.family && isOpen(drift)) drift.repairedAfterMs = event.repair.afterMs;
          }
        }
      }
    },
    families: (exempt, standings) =>
      [...records.values()].map((record) => {
        const { family } = record;
        const standing = standings.find((one) => one.family === family);
        return { ...record, exemptPrefixes: exempt(family), ...(standing !== undefined && knownOf(standing)) };
      }),
    drifts: () =>
      drifts.map(({ seenAt, ...drift }) => ({ ...drift, ageSeconds: Math.floor((clock.monotonic() - seenAt) / 1000) })),
  };
}

/** Neither repaired nor undone, as far as is known. */
function isOpen({ repairedAfterMs, undone }: DriftRecord): boolean {
  return repairedAfterMs === undefined && undone === undefined;
}

function knownOf({
  inForce,
  differences,
  conflict,
}: Standing): Pick<FamilyStatus, "inForce" | "differences" | "conflict"> {
  return {
    inForce,
    differences,
    ...(conflict !== undefined && { conflict: { ...conflict, since: new Date(conflict.since).toISOString() } }),
  };
}
