import { describeKinds, type Family, type ReconcileEvent, type SyncResult } from "@ip-masq-agent/core";
import type { DriftRecord, FamilyStatus, SyncRecord } from "./status.ts";

const mostDrifts = 50;
const mostSyncs = 10;
/** Of one drift; a flushed set of 10,000 is told by its number. */
const mostDifferences = 10;

/** What the loop has told so far, as much as is kept. */
export interface EventRecord {
  onEvent(event: ReconcileEvent): void;
  families(exempt: (family: Family) => number): readonly FamilyStatus[];
  drifts(): readonly DriftRecord[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type FamilyRecord = Mutable<Omit<FamilyStatus, "exemptPrefixes" | "recent" | "syncs">> & {
  readonly syncs: Record<SyncResult, number>;
  recent: readonly SyncRecord[];
};

/** Keeps the last passes and drifts, for whoever asks what happened. */
export function createRecord(enabled: readonly Family[]): EventRecord {
  let drifts: readonly Mutable<DriftRecord>[] = [];
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
        };
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
            if (drift.family === event.family) drift.repairedAfterMs ??= event.repair.afterMs;
          }
        }
      }
    },
    families: (exempt) => [...records.values()].map((record) => ({ ...record, exemptPrefixes: exempt(record.family) })),
    drifts: () => drifts,
  };
}
