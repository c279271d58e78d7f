/** How bad it is: an error keeps the agent from its work or undoes it, a warning may; the rest is for the record. */
export type Level = "error" | "warning" | "info" | "ok";

/** One thing that was looked at. Errors and warnings say why it matters and what to do. */
export interface Diagnosis {
  readonly level: Level;
  /** What was looked at: `conntrack`, `foreign rules`, … */
  readonly check: string;
  readonly what: string;
  readonly why?: string;
  readonly remedy?: string;
}

/** An error or a warning. */
export function trouble(
  level: "error" | "warning",
  check: string,
  what: string,
  why: string,
  remedy: string,
): Diagnosis {
  return { level, check, what, why, remedy };
}

/** Nothing to do about. */
export function note(level: "info" | "ok", check: string, what: string): Diagnosis {
  return { level, check, what };
}
