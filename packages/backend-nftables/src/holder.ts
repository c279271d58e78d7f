import { type ChildProcess, spawn } from "node:child_process";
import { killGroup } from "@ip-masq-agent/child-process";
import type { BackendError, Family } from "@ip-masq-agent/core";
import { classify } from "./failure.ts";
import type { NftRunner } from "./nft.ts";

/**
 * One long-lived `nft -i` through which our tables are written, because a table with `flags owner` belongs to the
 * socket that made it: nobody else can change or flush it, and with `persist` it outlives the process (kernel 6.9).
 */
export interface Holder extends AsyncDisposable {
  /** Runs one transaction to its end; starts the process where there is none. Rejects with `BackendError`. */
  run(family: Family, transaction: string, signal: AbortSignal): Promise<void>;
  /** The table of this family has been written or adopted by the process that runs now. */
  holds(family: Family): boolean;
}

/** A refusal repeats the whole transaction; more than this tells nothing new. */
const keptBytes = 64 * 1024;
const exitLimitMs = 5_000;
const killLimitMs = 1_000;
const lastWordsMs = 100;

interface Process {
  readonly child: ChildProcess;
  readonly held: Set<Family>;
  /** What it said since the last transaction ended. */
  said: string;
  /** Why it could not be started. */
  failure: NodeJS.ErrnoException | undefined;
  /** It has ended, and said all it had to say. */
  over: boolean;
  /** Called with every piece that it says, and when it ends. */
  wake: () => void;
}

export function createHolder(runner: NftRunner, onLost: () => void): Holder {
  let current: Process | undefined;
  let tail: Promise<unknown> = Promise.resolve();
  let count = 0;
  let closing = false;

  function start(): Process {
    const [file = "nft", ...before] = [...runner.launcher, "nft"];
    const child: ChildProcess = spawn(file, [...before, "-i"], {
      // A group of its own, so that what a wrapper script has started ends with it.
      detached: true,
      // With a home it would keep a history of its commands there.
      env: { ...globalThis.process.env, HOME: "/nonexistent", LC_ALL: "C" },
      stdio: ["pipe", "ignore", "pipe"],
    });
    const process: Process = { child, held: new Set(), said: "", failure: undefined, over: false, wake: () => {} };
    // At the limit of descriptors there is a child without streams, whose error comes afterwards.
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      process.said = `${process.said}${text}`;
      if (process.said.length > keptBytes)
        process.said = process.said.slice(0, 1_000) + process.said.slice(-keptBytes / 2);
      process.wake();
    });
    // Its end is told by "exit" and "error"; a broken pipe says nothing more.
    child.stdin?.on("error", () => {});
    const end = () => {
      process.over = true;
      process.wake();
    };
    child.on("error", (error) => {
      process.failure = error;
      retire(process);
      end();
    });
    child.on("exit", () => {
      retire(process);
      // What it said comes by a pipe, which a child of a wrapper may hold open.
      setTimeout(end, lastWordsMs).unref();
    });
    child.on("close", end);
    return process;
  }

  /** It writes no more transactions. What it held belongs to nobody once it is gone. */
  function retire(process: Process): void {
    if (current !== process) return;
    current = undefined;
    if (process.held.size > 0 && !closing) onLost();
  }

  async function transact(family: Family, transaction: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw failed("aborted", family, undefined, "");
    const process = current ?? start();
    current = process;
    // No statement of nft: its refusal, which comes when the line before it is done, says that it is.
    const mark = `done_${++count}`;
    process.said = "";
    process.child.stdin?.write(`${oneLine(transaction)}\n${mark}\n`);
    const ending = await settled(process, mark, runner.timeoutMs, signal);
    const [stderr = ""] = process.said.split(/^Error: [^\n]*\n(?=done_\d+\n)/m);
    if (ending === "done" && !/^Error: /m.test(stderr)) {
      process.held.add(family);
      return;
    }
    // In the middle of a transaction nothing can be said of it, and its answer would be taken for the next one's. The
    // next transaction has a process of its own; not before this one is gone, for until then its tables are its own.
    if (ending === "timeout" || ending === "aborted") {
      await kill(process.child);
      retire(process);
    }
    throw failed(ending, family, process, stderr);
  }

  function failed(ending: Ending, family: Family, process: Process | undefined, stderr: string): BackendError {
    return classify({
      operation: "apply",
      family,
      held: true,
      notFound: process?.failure?.code === "ENOENT" || process?.child.exitCode === 127,
      crashed: false,
      timedOut: ending === "timeout",
      aborted: ending === "aborted",
      timeoutMs: runner.timeoutMs,
      stderr,
      ending: process === undefined ? "" : endingOf(process),
      cause: process?.failure,
    });
  }

  return {
    run(family, transaction, signal) {
      // One line after the other: the answers would not tell whose they are.
      const result = tail.then(() => transact(family, transaction, signal));
      tail = result.catch(() => {});
      return result;
    },
    holds: (family) => current?.held.has(family) ?? false,
    async [Symbol.asyncDispose]() {
      closing = true;
      await tail;
      const child = current?.child;
      if (child === undefined || isGone(child)) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      child.once("exit", () => resolve());
      const limit = setTimeout(() => killGroup(child), exitLimitMs);
      child.stdin?.end();
      await promise;
      clearTimeout(limit);
      child.stderr?.destroy();
    },
  };
}

/** Ends it, and waits for its end: a second at most, for a process in a system call may take its time. */
async function kill(child: ChildProcess): Promise<void> {
  if (isGone(child)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once("exit", () => resolve());
  const limit = setTimeout(resolve, killLimitMs);
  child.stdin?.destroy();
  child.stderr?.destroy();
  killGroup(child);
  await promise;
  clearTimeout(limit);
}

type Ending = "done" | "ended" | "timeout" | "aborted";

/** Waits until the mark has come back; gives up at the limit, at the signal, or when the process is gone. */
async function settled(process: Process, mark: string, limitMs: number, signal: AbortSignal): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const look = () => {
    if (process.said.includes(`\n${mark}\n`)) resolve("done");
    else if (process.over) resolve("ended");
  };
  const onAbort = () => resolve("aborted");
  const timer = setTimeout(() => resolve("timeout"), limitMs);
  process.wake = look;
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  look();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    process.wake = () => {};
  }
}

function isGone({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

function endingOf({ failure, child: { exitCode, signalCode } }: Process): string {
  if (failure !== undefined) return failure.message;
  return exitCode === null && signalCode === null
    ? "no answer"
    : `the process that holds the tables ended with ${signalCode ?? `exit code ${exitCode}`}`;
}

/** Interactive nft takes a transaction on one line: a list goes on behind its comma, all else ends with a semicolon. */
export function oneLine(transaction: string): string {
  return transaction
    .trim()
    .replaceAll(/,\n\s*/g, ", ")
    .replaceAll(/\{\n\s*/g, "{ ")
    .replaceAll(/\n\s*/g, "; ");
}
