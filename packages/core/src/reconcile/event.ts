import type { Family } from "../address/family.ts";
import type { Reading } from "../backend/contract.ts";
import type { Difference } from "../backend/drift.ts";
import type { BackendError } from "../backend/error.ts";

/** What set a pass going; the `trigger` label of `sync_duration_seconds`. Of several waiting, the first here is named. */
export type Trigger = "start" | "config" | "hint" | "retry" | "resync" | "poll";

export const triggers: readonly Trigger[] = ["start", "config", "hint", "retry", "resync", "poll"];

/** How a pass ended; the `result` label of `syncs_total`. */
export type SyncResult = "in_sync" | "applied" | "failed";

export const syncResults: readonly SyncResult[] = ["in_sync", "applied", "failed"];

/** What the loop tells the world. The agent turns it into metrics and log lines; nothing comes back. */
export type ReconcileEvent = Queued | DriftFound | Synced | Removed | Conflict;

interface FamilyEvent {
  readonly backend: string;
  readonly family: Family;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A pass was asked for. */
export interface Queued extends FamilyEvent {
  readonly type: "queued";
  readonly trigger: Trigger;
}

/** The kernel differs from what we last saw in force there. Told once for as long as the same differences stand. */
export interface DriftFound extends FamilyEvent {
  readonly type: "drift";
  readonly differences: readonly Difference[];
  /** Who did it, where the kernel's events told. */
  readonly by?: Culprit;
}

/** A process that changed rules, as nftables names it: by its id as the host counts. */
export interface Culprit {
  readonly process: string;
  readonly pid: number;
}

/**
 * Something undoes our repairs: told when that is noticed, and again when the rules have stood for a while (`over`).
 * Meanwhile repairs go on, ever more slowly.
 */
export interface Conflict extends FamilyEvent {
  readonly type: "conflict";
  readonly state: "begins" | "goes on" | "over";
  /** Until the next repair, milliseconds; 0 where it is over. */
  readonly holdMs: number;
  readonly by?: Culprit;
}

/** A pass ended. */
export interface Synced extends FamilyEvent {
  readonly type: "synced";
  readonly trigger: Trigger;
  readonly result: SyncResult;
  readonly durationMs: number;
  /** What was written, in one line; empty where nothing was. */
  readonly summary: string;
  /** Where drift stood: how long from first notice to this pass's end, and whether it is gone now. */
  readonly repair?: { readonly result: "repaired" | "failed"; readonly afterMs: number };
  /** The kernel's counters as this pass read them, before a write and after it; none where it could not. */
  readonly readings: readonly Reading[];
  readonly error?: BackendError;
  /** After a failure: when the next try is due. */
  readonly retryInMs?: number;
}

/** Rules of a former backend, or of a family now switched off, were looked for. */
export interface Removed extends FamilyEvent {
  readonly type: "removed";
  /** What was removed; empty where there was nothing. */
  readonly what: readonly string[];
  readonly error?: BackendError;
}
