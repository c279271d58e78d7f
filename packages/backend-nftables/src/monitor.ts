import { type Clock, type Family, retryDelay } from "@ip-masq-agent/core";
import { createAttribution } from "./attribution.ts";
import type { Concern, KernelChange } from "./event-text.ts";
import { type Listening, type ListeningEnd, startListening } from "./listening.ts";
import type { Announcement } from "./own-writes.ts";
import { type ProcessFacts, procFacts } from "./process-facts.ts";

export interface MonitorOptions {
  /** Words put before the command, such as `nsenter --net=… --` in tests. Default: none. */
  readonly launcher?: readonly string[];
  readonly clock: Clock;
  readonly concern: Concern;
  /** Default: those of /proc. */
  readonly facts?: ProcessFacts;
  /** Time between two notices of what cannot be attributed, in a flood of them, in milliseconds. Default 1,000. */
  unattributedGapMs?(): number;
  /** Somebody else changed rules of ours, or may have: then `families` is all of them, and few times is anybody named. */
  onChange(change: KernelChange): void;
  onState(state: MonitorState): void;
}

/** It listens, or it does not any more, with the reason. */
export type MonitorState =
  | {
      readonly up: true;
      /** nft ends when we are killed. If not, it ends at its next line only: setpriv (util-linux) is missing. */
      readonly endsWithUs: boolean;
    }
  | { readonly up: false; readonly why: string; readonly retryInMs: number };

/** Listens to the kernel's events about rules. A hint only: whatever it tells is read from the kernel afterwards. */
export interface Monitor extends AsyncDisposable {
  /** We are about to write: so many transactions of this family are our own. */
  announce(family: Family, transactions: number): Announcement;
  /** Memory in use by nft, in bytes; undefined: none runs, or that cannot be told. */
  residentBytes(): number | undefined;
}

const restart = { firstMs: 1_000, capMs: 60_000 } as const;
/** One that ran so long was well; its end starts the backoff anew. */
const wellAfterMs = 60_000;

/**
 * nft monitor never frees the elements of sets that are told of: 7 MB for each refill of 10,000. It is renewed when it has
 * grown by this, or by a quarter of what it had after its start, where that is more: with every rule and element of the
 * node read, 4 MB on an empty one, 170 MB beside 50,000 rules.
 */
const growthBytes = 8 * 1024 * 1024;
const growthShare = 4;
/** How often its memory is read, while it has something to tell. It grows by 3 MB in that time at most: see budget.ts. */
const memoryCheckMs = 1_000;

/** One that has forgotten sets is renewed, so that their changes can be attributed again; this long after its start at the earliest. */
const forgetfulAfterMs = 60_000;
/** A start may take one part in so many of the time. */
const startShare = 100;
const settleMs = 1_000;

/** Starts `nft monitor` and keeps it running, with backoff. */
export function startMonitor(options: MonitorOptions): Monitor {
  const { clock } = options;
  const attribution = createAttribution({
    ...{ clock, concern: options.concern, onChange: options.onChange },
    gapMs: () => options.unattributedGapMs?.() ?? 1_000,
    onForgotten() {
      if (current !== undefined) renewForgetful(current);
    },
  });
  let current: Running | undefined;
  let retry: Disposable | undefined;
  let failures = 0;
  let toldUp = false;

  function start(endsWithUs: boolean): void {
    const running: Running = { startedAt: clock.monotonic(), endsWithUs, listening: undefined, up: undefined };
    current = running;
    const reader = attribution.reader();
    running.listening = startListening({
      command: commandOf(options.launcher ?? [], endsWithUs),
      clock,
      facts: options.facts ?? procFacts,
      onListening: () => onListening(running),
      onText(text) {
        reader.take(text);
        watchMemory(running);
      },
      onGap: attribution.lost,
      onComplaint() {
        attribution.complained();
        watchMemory(running);
      },
      onEnd: (end) => onEnd(running, end),
    });
  }

  function onListening(running: Running): void {
    const now = clock.monotonic();
    const bytes = running.listening?.residentBytes();
    running.up = {
      at: now,
      limitBytes: bytes === undefined ? Number.POSITIVE_INFINITY : bytes + Math.max(growthBytes, bytes / growthShare),
    };
    if (!toldUp) options.onState({ up: true, endsWithUs: running.endsWithUs });
    toldUp = true;
    attribution.listening();
  }

  function onEnd(running: Running, end: ListeningEnd): void {
    release(running);
    if (running.endsWithUs && running.up === undefined && isOfSetpriv(end)) {
      start(false);
      return;
    }
    attribution.deaf();
    const well = running.up !== undefined && clock.monotonic() - running.startedAt > wellAfterMs;
    failures = well ? 1 : failures + 1;
    const retryInMs = retryDelay(failures, { ...restart, random: Math.random });
    retry = clock.timer(retryInMs, () => start(true));
    toldUp = false;
    options.onState({ up: false, why: end.why, retryInMs });
  }

  function release(running: Running): void {
    running.memory?.[Symbol.dispose]();
    running.forgetful?.[Symbol.dispose]();
    if (current === running) current = undefined;
  }

  /** Until the new one listens, nothing is heard; what happens meanwhile is found by the reading that its notice brings. */
  function renew(running: Running): void {
    release(running);
    void running.listening?.stop();
    start(running.endsWithUs);
  }

  function watchMemory(running: Running): void {
    running.memory ??= clock.timer(memoryCheckMs, () => {
      running.memory = undefined;
      const bytes = running.listening?.residentBytes();
      if (running.up !== undefined && bytes !== undefined && bytes > running.up.limitBytes) renew(running);
    });
  }

  function renewForgetful(running: Running): void {
    if (running.forgetful !== undefined || running.up === undefined) return;
    const { startedAt, up } = running;
    const earliest = startedAt + Math.max(forgetfulAfterMs, startShare * (up.at - startedAt));
    const inMs = Math.max(settleMs, earliest - clock.monotonic());
    running.forgetful = clock.timer(inMs, () => renew(running));
  }

  start(true);
  return {
    announce: (family, transactions) =>
      // To nobody who listens, nothing need be announced.
      attribution.announce(family, current === undefined ? 0 : transactions),
    residentBytes: () => current?.listening?.residentBytes(),
    async [Symbol.asyncDispose]() {
      retry?.[Symbol.dispose]();
      attribution[Symbol.dispose]();
      const last = current;
      if (last === undefined) return;
      release(last);
      await last.listening?.stop();
    },
  };
}

/** One nft of several that follow each other. */
interface Running {
  readonly startedAt: number;
  readonly endsWithUs: boolean;
  listening: Listening | undefined;
  /** Since when it listens (monotonic), and the memory at which it is renewed. */
  up: { readonly at: number; readonly limitBytes: number } | undefined;
  memory?: Disposable | undefined;
  forgetful?: Disposable | undefined;
}

/**
 * `setpriv --pdeathsig` has the kernel kill nft when the thread that started it ends, which is this process' main thread:
 * an nft on a quiet node notices the end of its reader only when it has something to print. It becomes nft: the process
 * that we started stays the one to be ended and measured.
 */
function commandOf(launcher: readonly string[], endsWithUs: boolean): readonly [string, ...string[]] {
  const [first = "nft", ...rest] = [
    ...launcher,
    ...(endsWithUs ? ["setpriv", "--pdeathsig", "KILL", "--"] : []),
    "nft",
    "monitor",
  ];
  return [first, ...rest];
}

/** Not there, or (as busybox' setpriv) without the option; that it cannot start nft is no fault of its own. */
function isOfSetpriv({ code, stderr }: ListeningEnd): boolean {
  if (stderr.includes("setpriv: failed to execute")) return false;
  return code === "ENOENT" || code === 127 || stderr.includes("setpriv: ");
}
