/** How a child ended, or why it did not run to its end. A closed union: each caller turns it into its own error. */
export type ChildEnd =
  | { readonly how: "exited"; readonly exitCode: number }
  | { readonly how: "signalled"; readonly signal: string }
  /** The program could not be started; `code` is the system's: ENOENT, EACCES, EMFILE, … */
  | { readonly how: "not-started"; readonly code: string; readonly cause: unknown }
  | { readonly how: "timed-out" }
  | { readonly how: "aborted" }
  /** It wrote more than can be right, and was ended. */
  | { readonly how: "too-much-output"; readonly stream: "stdout" | "stderr"; readonly mostBytes: number };

/** The end as a part of a sentence, for messages: `exit code 1`. */
export function describeEnd(end: ChildEnd): string {
  switch (end.how) {
    case "exited":
      return `exit code ${end.exitCode}`;
    case "signalled":
      return end.signal;
    case "not-started":
      return end.cause instanceof Error ? end.cause.message : end.code;
    case "timed-out":
      return "no result in time";
    case "aborted":
      return "ended on request";
    case "too-much-output":
      return `more than ${bytesText(end.mostBytes)} on ${end.stream}`;
  }
}

/** `8 KiB`, `64 MiB`. */
export function bytesText(bytes: number): string {
  const [unit, size] = bytes >= 2 ** 20 ? ["MiB", 2 ** 20] : bytes >= 2 ** 10 ? ["KiB", 2 ** 10] : ["bytes", 1];
  return `${Math.round((bytes / size) * 10) / 10} ${unit}`;
}
