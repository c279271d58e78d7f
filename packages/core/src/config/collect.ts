import { countFindings, type Finding, type Severity } from "./finding.ts";
import { configLimits } from "./limits.ts";

/** Takes a finding; every rule is handed one of these. */
export type Report = (finding: Finding) => void;

/** Findings that are listed one by one. A file of the wrong kind would bring a hundred thousand. */
export const mostListed: number = configLimits.findings;

/** Collects findings: the first hundred as they are, and of the rest one for the errors and one for the warnings. */
export class FindingCollector {
  readonly #listed: Finding[] = [];
  readonly #leftOut = new Map<Severity, { readonly first: Finding; count: number }>();

  add(finding: Finding): void {
    if (this.#listed.length < mostListed) {
      this.#listed.push(finding);
      return;
    }
    const same = this.#leftOut.get(finding.severity);
    const count = countFindings([finding]);
    if (same === undefined) this.#leftOut.set(finding.severity, { first: finding, count });
    else same.count += count;
  }

  /** What was collected so far. */
  findings(): readonly Finding[] {
    const rest = [...this.#leftOut].map(([severity, { first, count }]): Finding => {
      const what = `more ${severity}${count === 1 ? "" : "s"}`;
      return {
        ...{ severity, code: "too-many-findings", file: first.file, count },
        ...(first.line === undefined ? {} : { line: first.line }),
        reason: `${count} ${what} ${count === 1 ? "is" : "are"} not listed, the first of them here`,
        remedy: "correct those listed, or check that it is the right file",
      };
    });
    return [...this.#listed, ...rest];
  }
}
