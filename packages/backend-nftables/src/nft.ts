import type { ChildProcess } from "node:child_process";
import type { Family, Operation } from "@ip-masq-agent/core";
import { execa } from "execa";
import { classify } from "./failure.ts";

/** How nft is run. */
export interface NftRunner {
  /** Words before every command: `nsenter …` in tests, none in production. */
  readonly launcher: readonly string[];
  readonly timeoutMs: number;
}

export interface NftRun {
  readonly arguments: readonly string[];
  readonly operation: Operation;
  readonly family?: Family;
  readonly input?: string;
  readonly signal: AbortSignal;
  /** Exit code 1 with such words on stderr gives undefined instead of an error. */
  readonly absent?: RegExp;
}

/** Output of a node's largest table stays far below; a tool gone wild must not take the node's memory. */
const maxOutputBytes = 512 * 1024 * 1024;

/** Signals of a program's own fault, and the exit codes by which a shell between us and nft reports them. */
const crashes: ReadonlySet<string | number | undefined> = new Set(["SIGSEGV", "SIGABRT", "SIGBUS", 139, 134, 135]);

/**
 * Runs nft to its end and gives its stdout; undefined for an expected absence. The only place that starts a process.
 * Killing nft is safe at any moment: its transaction reaches the kernel in one batch, or not at all.
 */
export async function runNft(runner: NftRunner, run: NftRun): Promise<string | undefined> {
  const [file = "nft", ...before] = [...runner.launcher, "nft"];
  const child = execa(file, [...before, ...run.arguments], {
    ...(run.input === undefined ? { stdin: "ignore" } : { input: run.input }),
    cancelSignal: run.signal,
    env: { LC_ALL: "C" },
    killSignal: "SIGKILL",
    maxBuffer: maxOutputBytes,
    reject: false,
    timeout: runner.timeoutMs,
  });
  abandonOutput(child.nodeChildProcess);
  const result = await child;
  if (!result.failed) return result.stdout;
  const stderr = result.stderr ?? "";
  if (result.exitCode === 1 && run.absent?.test(stderr)) return undefined;
  throw classify({
    operation: run.operation,
    family: run.family,
    notFound: result.code === "ENOENT" || result.exitCode === 127,
    crashed: crashes.has(result.signal) || crashes.has(result.exitCode),
    timedOut: result.timedOut,
    aborted: result.isCanceled,
    timeoutMs: runner.timeoutMs,
    stderr,
    ending: result.originalMessage ?? result.signal ?? `exit code ${result.exitCode}`,
    cause: result,
  });
}

/**
 * A tool that we ended, but whose own child still holds its output open (a wrapper script's), is not waited for: what it
 * said by then is all it said.
 */
function abandonOutput(child: ChildProcess): void {
  child.once("exit", () => {
    if (!child.killed) return;
    child.stdout?.destroy();
    child.stderr?.destroy();
  });
}
