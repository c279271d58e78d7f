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
