import type { Finding } from "./finding.ts";

/** Takes a finding; every rule is handed one of these. */
export type Report = (finding: Finding) => void;

/** Findings that are listed one by one. A file of the wrong kind would bring millions. */
export const mostListed = 1000;

/** Collects findings, the first thousand as they are and the rest as one that says how many, an error if any of them is. */
export class FindingCollector {
  readonly #listed: Finding[] = [];
  #leftOut = 0;
  #worst: Finding | undefined;

  add(finding: Finding): void {
    if (this.#listed.length < mostListed) {
      this.#listed.push(finding);
      return;
    }
    this.#leftOut++;
    if (this.#worst === undefined || (this.#worst.severity === "warning" && finding.severity === "error")) {
      this.#worst = finding;
    }
  }

  /** What was collected so far. */
  findings(): readonly Finding[] {
    if (this.#worst === undefined) return this.#listed;
    const { severity, file, line } = this.#worst;
    return [
      ...this.#listed,
      {
        severity,
        code: "too-many-findings",
        file,
        ...(line === undefined ? {} : { line }),
        reason: `${this.#leftOut} more findings are not listed, the first of them here`,
        remedy: "correct those listed, or check that it is the right file",
      },
    ];
  }
}
