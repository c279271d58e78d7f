import { type ChildProcess, spawn } from "node:child_process";
import { killGroup } from "@ip-masq-agent/child-process";
import { type Clock, shortageOf } from "@ip-masq-agent/core";
import { readWithinBudget, withoutReadAhead } from "./budget.ts";
import type { ProcessFacts } from "./process-facts.ts";

export interface ListeningOptions {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly clock: Clock;
  readonly facts: ProcessFacts;
  /** It has joined the kernel's group: no event is missed from now on. */
  onListening(): void;
  onText(text: string): void;
  /** Text may have passed unread. */
  onGap(): void;
  /** A piece of stderr. */
  onComplaint(text: string): void;
  /** It has ended by itself, or could not be started. Not told after `stop`. */
  onEnd(end: ListeningEnd): void;
}

export interface ListeningEnd {
  readonly why: string;
  /** The first program of the command does not exist, or says so of itself. */
  readonly code: string | number | undefined;
  readonly stderr: string;
}

/** One process that prints the kernel's events. */
export interface Listening {
  /** Memory in use, in bytes; undefined: that cannot be told. */
  residentBytes(): number | undefined;
  /** Kills it and waits for its end. */
  stop(): Promise<void>;
}

/** How often /proc is asked whether it listens yet: it takes 6 ms on an empty node, 1.4 s beside a set of 100,000. */
const pollMs = 20;
/** Where /proc does not tell: by then it listens on most nodes. */
const assumedMs = 300;
/** Where it does not show although /proc can be read: a wrapper may have nft for a child of its own. */
const longestStartMs = 30_000;

/** Starts the process. Every way in which that can fail is told by `onEnd`, and after this has returned. */
export function startListening(options: ListeningOptions): Listening {
  const { clock, facts } = options;
  const started = clock.monotonic();
  let timer: Disposable | undefined;
  let reading: Disposable | undefined;
  let stderr = "";
  let over = false;

  function finish(): boolean {
    if (over) return false;
    over = true;
    timer?.[Symbol.dispose]();
    reading?.[Symbol.dispose]();
    return true;
  }

  function end(why: string, code: string | number | undefined): void {
    const said = stderr.trim();
    if (finish()) options.onEnd({ why: said === "" ? why : `${why}: ${said}`, code, stderr });
  }

  function awaitListening(pid: number): void {
    timer = clock.timer(pollMs, () => {
      const listens = facts.listens(pid);
      const limitMs = listens === undefined ? assumedMs : longestStartMs;
      if (listens === true || clock.monotonic() - started >= limitMs) options.onListening();
      else awaitListening(pid);
    });
  }

  const child = open(options.command, (error) => {
    const why = shortageOf(error.message) ?? error.message;
    end(`nft monitor cannot be started (${why})`, error.code);
  });
  // At the limit of descriptors there is a child without streams, whose error comes afterwards.
  if (child?.stdout && child.stderr) {
    reading = readWithinBudget(child.stdout, { clock, onText: options.onText, onGap: options.onGap });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = `${stderr}${text}`.slice(-500);
      if (!over) options.onComplaint(text);
    });
  }
  child?.on("exit", (code, signal) =>
    end(`nft monitor ended with ${signal ?? `exit code ${code}`}`, code ?? undefined),
  );
  if (child?.pid !== undefined) awaitListening(child.pid);

  return {
    residentBytes: () => (over || child?.pid === undefined ? undefined : facts.residentBytes(child.pid)),
    async stop() {
      finish();
      if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      child.once("exit", () => resolve());
      killGroup(child);
      await promise;
      // Behind a wrapper script, a child of its own may hold these open.
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
  };
}

function open(
  [file, ...words]: ListeningOptions["command"],
  onError: (error: NodeJS.ErrnoException) => void,
): ChildProcess | undefined {
  try {
    const env = { ...process.env, LC_ALL: "C" };
    const child = withoutReadAhead(() =>
      spawn(file, words, { detached: true, env, stdio: ["ignore", "pipe", "pipe"] }),
    );
    return child.on("error", onError);
  } catch (error) {
    // Node throws for what it does not expect of spawn, such as ENOMEM.
    queueMicrotask(() => onError(error instanceof Error ? error : new Error(String(error))));
    return undefined;
  }
}
