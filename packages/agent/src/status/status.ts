import type { Counters, Culprit, Difference, Family, SyncResult, Trigger } from "@ip-masq-agent/core";
import type { WatchStatus } from "../sources/inputs.ts";

/** The running agent's state: what `status` shows and `/statusz` answers. Times are ISO 8601, durations milliseconds. */
export interface Status {
  readonly kind: "Statusz";
  readonly apiVersion: "ip-masq-agent/v1alpha1";
  readonly metadata: { readonly name: "ip-masq-agent" };
  readonly startTime: string;
  readonly uptimeSeconds: number;
  readonly binaryVersion: string;
  readonly commit: string;
  readonly nodeVersion: string;
  readonly paths: readonly string[];
  /** Why the rules are not in force as asked; absent: they are. */
  readonly notReady?: string;
  /** Absent: none could be started yet. */
  readonly backend?: BackendStatus;
  readonly config: ConfigStatus;
  readonly families: readonly FamilyStatus[];
  /** The last 50, oldest first. */
  readonly drifts: readonly DriftRecord[];
}

export interface BackendStatus {
  readonly name: string;
  readonly variant: string;
  readonly toolVersion: string;
  /** Why it was chosen. */
  readonly why: string;
  /** Its rules are owned: nobody else can change them. */
  readonly protected: boolean;
  /** Whether the kernel tells of changes: then drift is noticed at once, else by looking. */
  readonly events: EventsStatus;
}

export type EventsStatus =
  | { readonly state: "starting" | "none" }
  | {
      readonly state: "up";
      /** Memory in use by nft monitor; absent where that is not known. */
      readonly residentBytes?: number;
    }
  | { readonly state: "down"; readonly why: string };

export interface ConfigStatus {
  readonly path: string;
  /** None: the defaults are in force. */
  readonly files: readonly string[];
  /** First 12 hex digits of the policy's hash. */
  readonly hash?: string;
  readonly loadedAt?: string;
  /** In force is a copy of the config, made at this time. */
  readonly copiedAt?: string;
  readonly resyncIntervalMs?: number;
  /** The first 20, and then how many more there are. */
  readonly warnings: readonly string[];
  /** How many there are in all; absent: as many as are listed. */
  readonly warningCount?: number;
  /** Why, in the first 20 errors, the config as it is now was not taken; the one before stays in force. */
  readonly refused?: readonly string[];
  /** There is no config, though one is called for. */
  readonly missing?: MissingStatus;
  /** Objects that are watched through the API; none where all is read from files. */
  readonly watches: readonly WatchStatus[];
}

export interface MissingStatus {
  /** When that was first seen. */
  readonly since: string;
  readonly inForce: "defaults" | "last-good" | "nothing";
  /** With the remedy. */
  readonly why: string;
}

export interface FamilyStatus {
  readonly family: Family;
  readonly exemptPrefixes: number;
  readonly syncs: Readonly<Record<SyncResult, number>>;
  /** Rules found changed, counted as in `rule_drift_detected_total`. */
  readonly driftDetected: number;
  /** Repairs that another program undid, while a conflict lasted; counted as in `drift_conflicts_total`. */
  readonly conflicts: number;
  /** Observed so, and nothing is known that says otherwise; absent: no backend runs yet. */
  readonly inForce?: boolean;
  /** Rules known to differ, as in `rule_drift`. */
  readonly differences?: number;
  /** The conflict that lasts. */
  readonly conflict?: ConflictStatus;
  /** The kernel's counters as they were last read. */
  readonly counters?: Counters;
  /** The last 10 passes, oldest first. */
  readonly recent: readonly SyncRecord[];
}

/** Another program undoes our repairs. */
export interface ConflictStatus {
  readonly since: string;
  /** How often the rules were changed since then. */
  readonly undone: number;
  /** Who did it last, where the kernel's events told. */
  readonly by?: Culprit;
}

export interface SyncRecord {
  readonly at: string;
  readonly trigger: Trigger;
  readonly result: SyncResult;
  readonly durationMs: number;
  readonly summary: string;
  readonly error?: string;
}

export interface DriftRecord {
  readonly at: string;
  /** How long ago that is, by a clock that is never set; not known of agents before this field. */
  readonly ageSeconds?: number;
  readonly backend: string;
  readonly family: Family;
  /** `3 missing, 1 jump` */
  readonly kinds: string;
  /** The first 10. */
  readonly differences: readonly Difference[];
  readonly total: number;
  /** Who did it, where the kernel's events told. */
  readonly by?: Culprit;
  /** Absent: not repaired yet, or undone. */
  readonly repairedAfterMs?: number;
  /** It was repaired, and changed again before any read had shown that. */
  readonly undone?: true;
}
