import type { Family } from "../address/family.ts";
import { visibleLines } from "../visible.ts";

/** Why a backend failed: a closed union, because it is the `reason` label of `apply_failures_total`. */
export type FailureReason = "lock" | "timeout" | "permission" | "unsupported" | "rejected" | "tool_missing" | "other";

export const failureReasons: readonly FailureReason[] = [
  "lock",
  "timeout",
  "permission",
  "unsupported",
  "rejected",
  "tool_missing",
  "other",
];

/** What the backend was doing. */
export type Operation = "probe" | "observe" | "apply" | "cleanup";

export interface FailureDetails {
  readonly reason: FailureReason;
  readonly backend: string;
  readonly operation: Operation;
  readonly family?: Family | undefined;
  /** One sentence for a person: what happened and what to do. */
  readonly message: string;
  /** What the tool said, trimmed and with what cannot be seen escaped, its lines kept. */
  readonly stderr?: string | undefined;
  readonly cause?: unknown;
}

/** The one error that backends raise, real ones and the one in memory alike. */
export class BackendError extends Error {
  override readonly name = "BackendError";
  readonly reason: FailureReason;
  readonly backend: string;
  readonly operation: Operation;
  readonly family: Family | undefined;
  readonly stderr: string;

  constructor(details: FailureDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = details.reason;
    this.backend = details.backend;
    this.operation = details.operation;
    this.family = details.family;
    this.stderr = details.stderr ?? "";
  }
}

/** Foreign output made fit for a log line: trimmed, at most `limit` characters, what cannot be seen escaped, its lines kept. */
export function escapeForeign(text: string, limit = 2000): string {
  const trimmed = text.trim();
  const shown = trimmed.length > limit ? `${trimmed.slice(0, limit)}… (${trimmed.length} characters)` : trimmed;
  return visibleLines(shown);
}
