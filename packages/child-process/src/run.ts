import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { ChildEnd } from "./end.ts";

/** What bounds one run of a program. */
export interface ChildOptions {
  /** Written to its standard input; absent: there is none. */
  readonly input?: string | undefined;
  readonly timeoutMs: number;
  /** Standard output beyond this ends the program. At most some 500 MB, which is the longest string. */
  readonly mostOutputBytes: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ChildResult {
  readonly end: ChildEnd;
  /** All of it where the program exited; empty where it wrote too much. */
  readonly stdout: string;
  /** The first `keptStderrBytes` of it. */
  readonly stderr: string;
}

/** The first words of an error tell what is wrong; a refused transaction of nft repeats all of its lines. */
const keptStderrBytes = 8 * 1024;
/** Beyond this it is no message. */
export const mostStderrBytes: number = 1024 * 1024;

/** How long output is still read after the program's end, where another process holds it open. */
const graceMs = 500;
/** How long a killed process is waited for: inside a system call it dies only when the kernel lets it. */
const dyingMs = 500;

/**
 * Runs a program to its end, in the C locale and by a list of arguments. Never rejects. The program gets a process group
 * of its own, so that what it started (behind a wrapper script, the tool itself) ends with it: when the time is up, when
 * `signal` says so, when it writes too much, and after its own end.
 */
export function runChild(file: string, words: readonly string[], options: ChildOptions): Promise<ChildResult> {
  if (options.signal?.aborted) return Promise.resolve({ end: { how: "aborted" }, stdout: "", stderr: "" });
  const started = start(file, words, options.input);
  if ("how" in started) return Promise.resolve({ end: started, stdout: "", stderr: "" });
  return collect(started, options);
}

function start(file: string, words: readonly string[], input: string | undefined): ChildProcess | ChildEnd {
  try {
    const child = spawn(file, words, {
      detached: true,
      env: { ...process.env, LC_ALL: "C" },
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    });
    // A program may end without reading what it is given; its exit code tells.
    child.stdin?.on("error", () => {}).end(input);
    return child;
  } catch (cause) {
    return notStarted(cause);
  }
}

function collect(child: ChildProcess, { timeoutMs, mostOutputBytes, signal }: ChildOptions): Promise<ChildResult> {
  const { promise, resolve } = Promise.withResolvers<ChildResult>();
  let end: ChildEnd | undefined;
  let stopped = false;
  let done = false;
  let dying: NodeJS.Timeout | undefined;

  const stdout = keep(child.stdout, mostOutputBytes, mostOutputBytes, () =>
    stop({ how: "too-much-output", stream: "stdout", mostBytes: mostOutputBytes }),
  );
  const stderr = keep(child.stderr, keptStderrBytes, mostStderrBytes, () =>
    stop({ how: "too-much-output", stream: "stderr", mostBytes: mostStderrBytes }),
  );
  const timer = setTimeout(() => stop({ how: "timed-out" }), timeoutMs);
  const onAbort = () => stop({ how: "aborted" });
  signal?.addEventListener("abort", onAbort, { once: true });

  /** Ends it for a reason of ours. Nothing more is read, whoever still holds the other end. */
  function stop(why: ChildEnd): void {
    if (stopped || done) return;
    stopped = true;
    end = why;
    killGroup(child);
    abandonOutput(child);
    clearTimeout(dying);
    dying = setTimeout(finish, dyingMs);
  }

  function finish(): void {
    if (done) return;
    done = true;
    clearTimeout(timer);
    clearTimeout(dying);
    signal?.removeEventListener("abort", onAbort);
    // What it left behind in its group is of no use to anybody. Nothing else can have the group's number so soon.
    killGroup(child);
    abandonOutput(child);
    child.unref();
    resolve({ end: end ?? { how: "aborted" }, stdout: stdout(), stderr: stderr() });
  }

  child.on("error", (cause) => {
    if (child.pid !== undefined) return;
    end ??= notStarted(cause);
    finish();
  });
  child.once("exit", (exitCode, name) => {
    if (stopped) return finish();
    end = exitCode === null ? { how: "signalled", signal: name ?? "" } : { how: "exited", exitCode };
    clearTimeout(timer);
    // At once, where nobody else holds its output: then the streams close first.
    dying = setTimeout(finish, graceMs);
  });
  child.once("close", finish);
  return promise;
}

/** Keeps a stream's first bytes as text; `onTooMuch` where it goes on beyond `most`. Gives what was kept. */
function keep(stream: Readable | null, kept: number, most: number, onTooMuch: () => void): () => string {
  const decoder = new StringDecoder("utf8");
  let text = "";
  let bytes = 0;
  let abandoned = false;
  // At the limit of open files, Node starts no process and gives no streams.
  stream?.on("error", () => {});
  stream?.on("data", (chunk: Buffer) => {
    if (abandoned) return;
    if (bytes < kept) text += decoder.write(chunk.subarray(0, kept - bytes));
    bytes += chunk.length;
    if (bytes <= most) return;
    abandoned = true;
    if (kept === most) text = "";
    onTooMuch();
  });
  return () => text;
}

/** Ends a child that was started `detached`, and all that it has started and left in its group. */
export function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // ESRCH: nobody of the group is left.
  }
}

function abandonOutput({ stdin, stdout, stderr }: ChildProcess): void {
  stdin?.destroy();
  stdout?.destroy();
  stderr?.destroy();
}

function notStarted(cause: unknown): ChildEnd {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
  return { how: "not-started", code, cause };
}
