import { describeEnd, runChild } from "@ip-masq-agent/child-process";
import type { Family, Operation } from "@ip-masq-agent/core";
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

/**
 * Our own table takes 2.4 MB as JSON with the 50,000 IPv4 prefixes that a config may have, and 5 MB with as many IPv6
 * ones. Beyond this, others have filled it, or the tool has gone wild.
 */
const mostOutputBytes = 16 * 1024 * 1024;

/** Signals of a program's own fault, and the exit codes by which a shell between us and nft reports them. */
const crashes: ReadonlySet<string | number> = new Set(["SIGSEGV", "SIGABRT", "SIGBUS", 139, 134, 135]);

/**
 * Runs nft to its end and gives its stdout; undefined for an expected absence. The only place that starts a process.
 * Killing nft is safe at any moment: its transaction reaches the kernel in one batch, or not at all.
 */
export async function runNft(runner: NftRunner, run: NftRun): Promise<string | undefined> {
  const [file = "nft", ...before] = [...runner.launcher, "nft"];
  const { input, signal } = run;
  const { timeoutMs } = runner;
  const result = await runChild(file, [...before, ...run.arguments], { input, signal, timeoutMs, mostOutputBytes });
  const { end, stdout, stderr } = result;
  const exitCode = end.how === "exited" ? end.exitCode : undefined;
  if (exitCode === 0) return stdout;
  if (exitCode === 1 && run.absent?.test(stderr)) return undefined;
  throw classify({
    operation: run.operation,
    family: run.family,
    notFound: exitCode === 127 || (end.how === "not-started" && end.code === "ENOENT"),
    crashed: crashes.has(end.how === "signalled" ? end.signal : (exitCode ?? "")),
    timedOut: end.how === "timed-out",
    aborted: end.how === "aborted",
    tooMuchOutput: end.how === "too-much-output",
    timeoutMs,
    stderr,
    ending: describeEnd(end),
    cause: end.how === "not-started" ? end.cause : undefined,
  });
}
