import { spawn } from "node:child_process";
import { once } from "node:events";

/** A program that serves until it is disposed of. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  /** The last of what it wrote to stdout and stderr. */
  output(): string;
  /**
   * Resolves when `isReady` says so; one that throws is not ready yet. Rejects after `withinMs`, and as soon as the
   * program has ended. The error has the exit code and the last lines of the program's output.
   */
  ready(isReady: () => Promise<boolean>, withinMs?: number): Promise<void>;
}

const pollMs = 100;
const keptBytes = 16 * 1024;
const shownLines = 20;
/** What a program wrote before its end may arrive after its end; a child of its own may hold the pipe open for ever. */
const lastOutputMs = 500;

/**
 * Starts a program whose output is kept and not shown. Disposal ends it by SIGKILL. Its stdin is a pipe without input,
 * which ends with this process: a program that reads it can end then, too.
 */
export function startServer(command: readonly string[], options: { readonly cwd?: string } = {}): Server {
  const [file = "", ...words] = command;
  const child = spawn(file, words, { ...options, stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {});
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = `${output}${text}`.slice(-keptBytes);
    });
  }
  const ended = Promise.withResolvers<string>();
  child.once("error", (error) => ended.resolve(`cannot be started (${error.message})`));
  child.once("exit", (code, signal) => {
    const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    const timer = setTimeout(() => ended.resolve(how), lastOutputMs);
    child.once("close", () => {
      clearTimeout(timer);
      ended.resolve(how);
    });
  });

  const failure = (how: string) => {
    const lines = output.trimEnd().split("\n").slice(-shownLines);
    return new Error(`${file} ${how}; ${output === "" ? "it wrote nothing" : `it wrote:\n${lines.join("\n")}`}`);
  };

  return {
    pid: child.pid ?? 0,
    output: () => output,
    async ready(isReady, withinMs = 15_000) {
      const end = ended.promise.then((how) => {
        throw failure(how);
      });
      const deadline = performance.now() + withinMs;
      for (;;) {
        if (await Promise.race([isReady().catch(() => false), end])) return;
        if (performance.now() > deadline) throw failure(`is not ready after ${withinMs / 1000} s`);
        await Promise.race([new Promise((resolve) => setTimeout(resolve, pollMs)), end]);
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}
