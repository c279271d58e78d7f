import { configLimits } from "./limits.ts";
import { describeValue, type MapEntry, shorten } from "./value.ts";

/** Why a document cannot be read, without the file's name: its reader adds that. */
export interface DocumentProblem {
  readonly code: string;
  readonly line?: number;
  readonly key?: string;
  readonly value?: string;
  readonly reason: string;
  readonly remedy: string;
}

/** Takes a problem that does not end the parse. */
export type ReportProblem = (problem: DocumentProblem) => void;

/** Collections within collections. Go stops at 10,000; a config needs 2, and a parser must not run out of stack. */
export const deepestNesting = 100;

/** Ends a parse; caught by the parser that threw it. */
export class DocumentError extends Error {
  readonly problem: DocumentProblem;

  constructor(problem: DocumentProblem) {
    super(problem.reason);
    this.problem = problem;
  }
}

/** The Go original let the last one win, so a leftover line far below undid the one people looked at. */
export function duplicateKey({ key, line, value }: MapEntry, earlierLine: number): DocumentProblem {
  return {
    code: "duplicate-key",
    line,
    key: shorten(key),
    value: describeValue(value),
    reason: `is given a second time, after line ${earlierLine}`,
    remedy: "keep one of the two",
  };
}

/** A config has five keys: a file with a thousand is of another kind. */
export function tooManyKeys(line: number): DocumentProblem {
  return {
    code: "too-many-keys",
    line,
    reason: `the document has more than ${configLimits.keys} keys`,
    remedy: "check that it is the right file",
  };
}
