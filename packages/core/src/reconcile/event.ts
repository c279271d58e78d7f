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
  /** The repair before this was undone before any read had shown it in force. */
  readonly undone?: true;
}

/** A process that changed rules, as nftables names it: by its id as the host counts. */
export interface Culprit {
  readonly process: string;
  readonly pid: number;
}

/**
 * Something undoes our repairs: told when that is noticed, at each further repair that is undone, and when the rules have
 * stood for a while. Repairs go on at their pace (pace.ts).
 */
export interface Conflict extends FamilyEvent, ConflictState {
  readonly type: "conflict";
  readonly state: "begins" | "goes on" | "over";
}

/** A conflict over one family's rules. */
export interface ConflictState {
  /** Its first act of tampering, milliseconds since the epoch. */
  readonly since: number;
  /** How often the rules were changed since then. */
  readonly undone: number;
  /** Who did it last, where the kernel's events told. */
  readonly by?: Culprit;
}

/** What is known of one family's rules now. Readiness, status and gauges all show this, so that they agree. */
export interface Standing {
  readonly backend: string;
  readonly family: Family;
  /** The policy was observed in force, and nothing that has been found or notified since says otherwise. */
  readonly inForce: boolean;
  /** How many rules are known to differ; at least 1 while a notification of a change waits unread. */
  readonly differences: number;
  /** A notification of a change waits for its turn, or did a moment ago because many came. */
  readonly unread: boolean;
  /** Why the last pass failed. */
  readonly failure?: string;
  readonly conflict?: ConflictState;
}

/** A pass ended. */
export interface Synced extends FamilyEvent {
  readonly type: "synced";
  readonly trigger: Trigger;
  readonly result: SyncResult;
  readonly durationMs: number;
  /** What was written, in one line; empty where nothing was. */
  readonly summary: string;
  /** It was written and not read back: in a rapid conflict the next pass, a second later, tells whether it stood. */
  readonly unverified?: true;
  /** A failure of this kind: the rules were written, and another program changed them before the read that followed. */
  readonly undone?: true;
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
