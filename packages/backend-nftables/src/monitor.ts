import { type ChildProcess, spawn } from "node:child_process";
import { type Clock, type Family, retryDelay } from "@ip-masq-agent/core";
import { budgetMs, readWithinBudget, withoutReadAhead } from "./budget.ts";
import { type Concern, createEventReader, type KernelChange } from "./event-text.ts";

export interface MonitorOptions {
  /** Words put before the command, such as `nsenter --net=… --` in tests. Default: none. */
  readonly launcher?: readonly string[];
  readonly clock: Clock;
  readonly concern: Concern;
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
  let loss: Disposable | undefined;
  let lastLoss = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let alive = false;
  let closed = false;

  function start(): void {
    const started = clock.monotonic();
    const process = withoutReadAhead(() =>
      spawn(file, [...before, "monitor"], {
        env: { ...globalThis.process.env, LC_ALL: "C" },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
    child = process;
    alive = true;
    let said = "";
    let up = false;
    let ended = false;
    const reader = createEventReader({
      concern: options.concern,
      onChange: (change) => take(change),
      onLoss: lost,
    });
    const reading = readWithinBudget(process.stdout, { clock, onText: (text) => reader.take(text), onGap: lost });
    resting = reading;
    process.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-500);
      if (text.includes("lost some netlink events")) lost();
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

  /** Events may have passed unread. Told once a second at most, however often nft says so. */
  function lost(): void {
    loss ??= clock.timer(Math.max(0, lastLoss + budgetMs - clock.monotonic()), () => {
      loss = undefined;
      lastLoss = clock.monotonic();
      options.onChange(everything);
    });
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
      loss?.[Symbol.dispose]();
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
