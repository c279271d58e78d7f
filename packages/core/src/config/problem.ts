import type { Value } from "./value.ts";

/** Why a document cannot be read, without the file's name: its reader adds that. */
export interface DocumentProblem {
  readonly code: string;
  readonly line?: number;
  readonly key?: string;
  readonly value?: string;
  readonly reason: string;
  readonly remedy: string;
}

/** What a parser makes of a text: no root where the syntax is broken. */
export interface ParsedDocument {
  readonly root: Value | undefined;
  readonly problems: readonly DocumentProblem[];
}

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
export function duplicateKey(key: string, line: number, earlierLine: number): DocumentProblem {
  return {
    code: "duplicate-key",
    line,
    key: shorten(key),
    reason: `is given twice, on line ${earlierLine} before`,
    remedy: "keep one of the two",
  };
}

const longestShown = 80;

/** Cuts a text that is too long for a log line or a terminal. */
export function shorten(text: string): string {
  return text.length <= longestShown ? text : `${text.slice(0, longestShown - 1)}…`;
}
