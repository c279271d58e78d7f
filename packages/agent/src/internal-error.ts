import { openStderr } from "./stderr.ts";
import { reportTo } from "./version.ts";

/**
 * Ends the process with one line and exit code 1 where an error is caught nowhere, rejected promises included. It is a
 * defect: what a user can do something about is told where it happens. `verbose`: the stack follows.
 */
export function reportInternalErrors(program: string, verbose: boolean): void {
  process.on("uncaughtException", (error) => {
    // Not through a stream: nothing of it may wait, nor fail in its turn.
    openStderr().write(internalError(program, error, verbose));
    process.exit(1);
  });
}

/** Whether a command line asks for more than the usual, however wrong it may be otherwise: `--v=1` or more. */
export function isVerbose(argv: readonly string[]): boolean {
  return argv.some((word, at) => {
    const [, value = argv[at + 1]] = /^--?v(?:=(.*))?$/.exec(word) ?? [undefined, ""];
    return Number(value) >= 1;
  });
}

export function internalError(program: string, error: unknown, verbose: boolean): string {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const line = said.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
  const more = verbose ? "" : " (--v=1 shows where)";
  const stack = verbose && error instanceof Error ? `${error.stack ?? ""}\n` : "";
  return `${program}: internal error: ${line}; please report it at ${reportTo}${more}\n${stack}`;
}
