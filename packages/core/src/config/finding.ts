/** How bad a finding is: an error refuses the config, a warning is told and counted. */
export type Severity = "error" | "warning";

/** One thing that is wrong, or looks wrong, with a config. Collected, never thrown one at a time. */
export interface Finding {
  readonly severity: Severity;
  /** Stable, for machines: `cidr-misaligned`, `unknown-key`, … */
  readonly code: string;
  readonly file: string;
  /** Counted from 1, where the parser knows it. */
  readonly line?: number;
  /** `nonMasqueradeCIDRs[3]`; absent where the file as a whole is meant. */
  readonly key?: string;
  /** The offending value as written. */
  readonly value?: string;
  readonly reason: string;
  readonly remedy: string;
  /** How many findings this one stands for; absent: one, itself. */
  readonly count?: number;
}

/** `FILE:LINE: KEY "VALUE": REASON; REMEDY`, on one line. */
export function formatFinding(finding: Finding): string {
  const place = finding.line === undefined ? finding.file : `${finding.file}:${finding.line}`;
  const value = finding.value === undefined ? "" : ` ${JSON.stringify(finding.value)}`;
  const subject = finding.key === undefined ? value.trim() : `${finding.key}${value}`;
  return `${place}: ${subject === "" ? "" : `${subject}: `}${finding.reason}; ${finding.remedy}`;
}

export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.severity === "error");
}

/** How many there are in truth, of one severity or of both. */
export function countFindings(findings: readonly Finding[], severity?: Severity): number {
  const counted = severity === undefined ? findings : findings.filter((finding) => finding.severity === severity);
  return counted.reduce((sum, { count = 1 }) => sum + count, 0);
}

/** What a log or a status line takes. */
export const mostShown = 20;

/** The findings that are shown where there is room for so many, errors first; the rest is known by its number. */
export function firstFindings(
  findings: readonly Finding[],
  most: number = mostShown,
): { readonly shown: readonly Finding[]; readonly more: number } {
  const sorted = findings.toSorted((a, b) => Number(hasErrors([b])) - Number(hasErrors([a])));
  return { shown: sorted.slice(0, most), more: countFindings(sorted.slice(most)) };
}

/** The same as text, a line each, and at the end how many more there are. */
export function formatFindings(findings: readonly Finding[], most: number = mostShown): readonly string[] {
  const { shown, more } = firstFindings(findings, most);
  return [...shown.map(formatFinding), ...(more === 0 ? [] : [`and ${more} more`])];
}
