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
  /** An exit code other than 0 whose stderr matches gives undefined instead of an error. */
  readonly absent?: RegExp;
}

/** Output of a node's largest table stays far below; a tool gone wild must not take the node's memory. */
const maxOutputBytes = 512 * 1024 * 1024;

/**
 * Runs nft to its end and gives its stdout; undefined for an expected absence. The only place that starts a process.
 * Killing nft is safe at any moment: its transaction reaches the kernel in one batch, or not at all.
 */
export async function runNft(runner: NftRunner, run: NftRun): Promise<string | undefined> {
  const [file = "nft", ...before] = [...runner.launcher, "nft"];
  const result = await execa(file, [...before, ...run.arguments], {
    ...(run.input === undefined ? { stdin: "ignore" } : { input: run.input }),
    cancelSignal: run.signal,
    env: { LC_ALL: "C" },
    killSignal: "SIGKILL",
    maxBuffer: maxOutputBytes,
    reject: false,
    timeout: runner.timeoutMs,
  });
  if (!result.failed) return result.stdout;
  if (run.absent?.test(result.stderr ?? "")) return undefined;
  throw classify({
    operation: run.operation,
    family: run.family,
    notFound: result.code === "ENOENT" || result.exitCode === 127,
    timedOut: result.timedOut,
    aborted: result.isCanceled,
    timeoutMs: runner.timeoutMs,
    stderr: result.stderr ?? "",
    cause: result,
  });
}
