import { type ChildProcess, spawn } from "node:child_process";
import { type Clock, type Family, retryDelay } from "@ip-masq-agent/core";
import { createEventReader, type KernelChange } from "./event-text.ts";

export interface MonitorOptions {
  /** Words put before the command, such as `nsenter --net=… --` in tests. Default: none. */
  readonly launcher?: readonly string[];
  readonly clock: Clock;
  /** Which family's rules of ours a line of `nft monitor` tells of; undefined: none. */
  concerns(line: string): Family | undefined;
  /** Somebody else changed rules of ours, or may have: then `families` is all of them and nobody is named. */
  onChange(change: KernelChange): void;
  /** It listens, or it does not any more, with the reason. */
  onState(
    state: { readonly up: true } | { readonly up: false; readonly why: string; readonly retryInMs: number },
  ): void;
}

/** Listens to the kernel's events about rules. A hint only: whatever it tells is looked at afterwards. */
export interface Monitor extends AsyncDisposable {
  /** We are about to write: so many transactions of this family are our own. */
  announce(family: Family, transactions: number): Announcement;
}

/** Transactions of our own, whose events are no news. Disposed of where nothing was written after all. */
export interface Announcement extends Disposable {
  /** They are in the kernel; events that still do not come were lost. */
  written(): void;
}

/** Before this it may not listen yet; what happened meanwhile is caught by the look that follows. */
const startMs = 300;
const restart = { firstMs: 1_000, capMs: 60_000 } as const;
/** One that ran so long was well; its end starts the backoff anew. */
const wellAfterMs = 60_000;

/**
 * Text read within a second; beyond it the reading rests until the second is over. nft then waits on its pipe, and the
 * kernel throws away what nft does not fetch: a program that writes 100,000 rules costs us one look a second.
 */
const budgetBytes = 256 * 1024;
const budgetMs = 1_000;

/** An event of ours that has not come after this long is lost, and may have been taken for somebody else's. */
const ownMs = 500;

const everything: KernelChange = { families: new Set<Family>(["IPv4", "IPv6"]) };

/** Starts `nft monitor` and keeps it running, with backoff. Ends with its disposal; nft itself ends at its next line then. */
export function startMonitor(options: MonitorOptions): Monitor {
  const { clock } = options;
  const [file = "nft", ...before] = [...(options.launcher ?? []), "nft"];
  const own = new Set<Own>();
  let child: ChildProcess | undefined;
  let timer: Disposable | undefined;
  let resting: Disposable | undefined;
  let failures = 0;
  let alive = false;
  let closed = false;

  function start(): void {
    const started = clock.monotonic();
    const process = spawn(file, [...before, "monitor"], {
      env: { ...globalThis.process.env, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = process;
    alive = true;
    let said = "";
    let up = false;
    let ended = false;
    const reader = createEventReader({
      concerns: options.concerns,
      onChange: (change) => take(change),
      onLoss: () => options.onChange(everything),
    });
    const reading = readWithinBudget(
      process.stdout,
      clock,
      (text) => reader.take(text),
      () => options.onChange(everything),
    );
    resting = reading;
    process.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-500);
      if (text.includes("lost some netlink events")) options.onChange(everything);
    });
    timer = clock.timer(startMs, () => {
      up = true;
      options.onState({ up: true });
      options.onChange(everything);
    });
    const end = (why: string) => {
      if (ended || closed) return;
      ended = true;
      alive = false;
      for (const one of own) forget(one);
      timer?.[Symbol.dispose]();
      reading[Symbol.dispose]();
      failures = up && clock.monotonic() - started > wellAfterMs ? 1 : failures + 1;
      const retryInMs = retryDelay(failures, { ...restart, random: Math.random });
      timer = clock.timer(retryInMs, start);
      options.onState({ up: false, why: `${why}${said.trim() === "" ? "" : `: ${said.trim()}`}`, retryInMs });
    };
    process.on("error", (error) => end(`nft monitor cannot be started (${error.message})`));
    process.on("exit", (code, signal) => end(`nft monitor ended with ${signal ?? `exit code ${code}`}`));
  }

  /** Our own transactions come back as events; each is taken off against what was announced. */
  function take(change: KernelChange): void {
    const others = [...change.families].filter((family) => {
      const announced = [...own].find((one) => one.family === family);
      if (announced === undefined) return true;
      forget(announced);
      return false;
    });
    if (others.length > 0) options.onChange({ ...change, families: new Set(others) });
  }

  function forget(one: Own): void {
    one.timer?.[Symbol.dispose]();
    own.delete(one);
  }

  start();
  return {
    announce(family, transactions) {
      // To nobody who listens, nothing need be announced.
      const announced = Array.from({ length: alive ? transactions : 0 }, (): Own => ({ family, timer: undefined }));
      for (const one of announced) own.add(one);
      return {
        written() {
          for (const one of announced) {
            if (!own.has(one)) continue;
            // Never seen: then it was lost, or another's event was taken for it. A look tells.
            one.timer = clock.timer(ownMs, () => {
              own.delete(one);
              options.onChange({ families: new Set([family]) });
            });
          }
        },
        [Symbol.dispose]: () => announced.forEach(forget),
      };
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      timer?.[Symbol.dispose]();
      resting?.[Symbol.dispose]();
      for (const one of own) forget(one);
      if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
        return;
      const { promise, resolve } = Promise.withResolvers<void>();
      child.once("exit", () => resolve());
      child.kill("SIGKILL");
      await promise;
      // Behind a wrapper script, a child of its own may hold these open.
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
  };
}

/** A transaction of our own whose event has not come yet. */
interface Own {
  readonly family: Family;
  timer: Disposable | undefined;
}

/** Reads text, no more than the budget allows. Disposed of where the writer has ended. */
function readWithinBudget(
  stdout: NodeJS.ReadableStream,
  clock: Clock,
  onText: (text: string) => void,
  onGap: () => void,
): Disposable {
  let rest: Disposable | undefined;
  let windowStart = clock.monotonic();
  let used = 0;
  stdout.setEncoding("latin1");
  stdout.on("data", (text: string) => {
    const now = clock.monotonic();
    if (now - windowStart >= budgetMs) [windowStart, used] = [now, 0];
    used += text.length;
    onText(text);
    if (used < budgetBytes) return;
    stdout.pause();
    rest = clock.timer(windowStart + budgetMs - now, () => {
      stdout.resume();
      onGap();
    });
  });
  return { [Symbol.dispose]: () => rest?.[Symbol.dispose]() };
}
