import type { Clock } from "../clock.ts";
import { type Culprit, type Standing, type SyncResult, type Trigger, triggers } from "./event.ts";
import type { Lane, PassEnd } from "./lane.ts";
import { createPace } from "./pace.ts";

/**
 * One family's time: when its lane makes a pass. There is one time before which none begins, `notBefore`: the pace of
 * repairs, and after a failure the backoff. Notifications, retries and regular looks obey it; a new config, a start and
 * a comparison that is asked for do not, and have a pace of their own.
 */
export interface Track {
  /** Asks for a pass. Requests that wait become one. */
  request(trigger: Trigger, by?: Culprit): void;
  /** Asks for a pass that waits no longer than a new config does. */
  compare(): void;
  /** What is regular has changed: the next pass is due accordingly. */
  reschedule(): void;
  /** No pass runs or was asked for. */
  isIdle(): boolean;
  /** The pass that runs now, as a promise of its end. */
  running(): Promise<void> | undefined;
  /** How the last pass ended. */
  result(): SyncResult | undefined;
  standing(): Standing;
  /** See `Loop.stalledMs`. */
  stalledMs(): number;
  /** A step of the pass that runs has ended. */
  step(): void;
  /** Starts nothing more; resolves when the pass that runs has ended. */
  stop(): Promise<void>;
}

export interface TrackOptions {
  readonly lane: Lane;
  readonly clock: Clock;
  readonly minimumGapMs: number;
  delays(observeMs: number): Delays;
  /** A pass waits that did not before, or a more urgent one. */
  onQueued(trigger: Trigger): void;
  onIdle(): void;
}

/** How long after a pass the next is due although nothing calls for it, milliseconds. */
export interface Delays {
  readonly resync: number;
  /** The resync, or before that a look for drift. */
  readonly regular: number;
  /** The same while a conflict lasts. */
  readonly contested: number;
  /** What was written is read back. */
  readonly verify: number;
}

/** Repairs: single acts of tampering are answered at once, and then one pass a second. */
const repairs = { burst: 10, everyMs: 1_000 } as const;
/** A pass gets at most half of the time, so one that takes longer than half a second comes more rarely. */
const restShare = 2;
/** Configs: a few at once, then four a second. */
const configs = { burst: 8, everyMs: 250 } as const;

/** A notification that has not been read after this long is unread, although a pass runs. */
const promptMs = 1_000;

export function createTrack({ lane, clock, minimumGapMs, ...options }: TrackOptions): Track {
  const pace = createPace(repairs);
  const configPace = createPace(configs);
  let waiting: Trigger | undefined;
  /** What waits is a comparison that was asked for. */
  let isAsked = false;
  /** When the first notification came that no pass has begun to answer, and that of the pass that runs. */
  let noticedAt: number | undefined;
  let readingSince: number | undefined;
  let by: Culprit | undefined;
  let running: Promise<void> | undefined;
  let timer: Disposable | undefined;
  /** Monotonic time at which a pass is due, or at which the one that runs last made progress. */
  let due: number | undefined;
  let last: (PassEnd & { readonly at: number }) | undefined;
  /** Notifications have had to wait; for readiness that is over when half of the burst is there again. */
  let isPressed = false;
  let stopped = false;

  function notBefore(): number {
    const gap = (last?.at ?? Number.NEGATIVE_INFINITY) + minimumGapMs;
    if (isUrgent()) return Math.max(gap, configPace.notBefore());
    const backoff = typeof last?.next === "object" ? last.at + last.next.retryInMs : gap;
    return Math.max(gap, backoff, pace.notBefore());
  }

  /** The one timer: for a pass that was asked for, else for the one that is due. */
  function schedule(): void {
    timer?.[Symbol.dispose]();
    timer = undefined;
    due = undefined;
    if (stopped) return;
    const now = clock.monotonic();
    const at = Math.max(notBefore(), waiting === undefined ? nextDue() : now);
    if (at === Number.POSITIVE_INFINITY) return;
    due = at;
    if (noticedAt !== undefined && at - now > minimumGapMs) isPressed = true;
    if (waiting !== undefined && at <= now) start();
    else timer = clock.timer(Math.max(0, at - now), () => (waiting === undefined ? requestDue() : start()));
  }

  function nextDue(): number {
    if (last === undefined || last.next === "never") return Number.POSITIVE_INFINITY;
    if (last.next === "soon" || typeof last.next === "object") return last.at;
    const { regular, contested, verify } = options.delays(last.observeMs);
    const delay = last.next === "verify" ? verify : last.conflictOverAt === undefined ? regular : contested;
    return Math.min(last.at + delay, last.conflictOverAt ?? Number.POSITIVE_INFINITY);
  }

  function requestDue(): void {
    const early = last !== undefined && clock.monotonic() - last.at < options.delays(0).resync - 1;
    request(last?.result === "failed" ? "retry" : early ? "poll" : "resync");
  }

  function request(trigger: Trigger, culprit?: Culprit): void {
    if (stopped) return;
    by = culprit ?? by;
    if (trigger === "hint") noticedAt ??= clock.monotonic();
    enqueue(trigger);
  }

  /** A request that changes nothing of what waits costs nothing: notifications may come by the thousand. */
  function enqueue(trigger: Trigger): void {
    const next = stronger(waiting, trigger);
    if (next === waiting) return;
    waiting = next;
    options.onQueued(trigger);
    if (running === undefined) schedule();
  }

  function start(): void {
    const trigger = waiting ?? "resync";
    const urgent = isUrgent();
    const now = clock.monotonic();
    const before = by;
    const call = { trigger, noticedAt: noticedAt ?? now, by: () => by ?? before };
    readingSince = noticedAt;
    waiting = undefined;
    isAsked = false;
    noticedAt = undefined;
    by = undefined;
    timer?.[Symbol.dispose]();
    timer = undefined;
    due = now;
    running = lane.pass(call).then((end) => onEnd(urgent ? "urgent" : trigger, now, end));
  }

  function onEnd(trigger: Trigger | "urgent", startedAt: number, end: PassEnd): void {
    const now = clock.monotonic();
    running = undefined;
    if (!end.hasRead) noticedAt = readingSince ?? noticedAt;
    readingSince = undefined;
    last = { ...end, at: now, observeMs: end.observeMs > 0 ? end.observeMs : (last?.observeMs ?? 0) };
    if (trigger === "urgent") configPace.charge(startedAt, 0);
    else if (end.worked || trigger === "hint") pace.charge(startedAt, restShare * (now - startedAt));
    if (pace.isRested(now)) isPressed = false;
    schedule();
    options.onIdle();
  }

  function isUrgent(): boolean {
    return isAsked || waiting === "start" || waiting === "config";
  }

  function isUnread(): boolean {
    const now = clock.monotonic();
    const waits = noticedAt !== undefined && running === undefined;
    const hangs = now - (readingSince ?? noticedAt ?? now) > promptMs;
    return waits || hangs || (isPressed && !pace.isRested(now));
  }

  return {
    request,
    compare() {
      if (stopped || isAsked) return;
      isAsked = true;
      if (waiting === undefined) enqueue("hint");
      else if (running === undefined) schedule();
    },
    reschedule() {
      if (timer !== undefined && waiting === undefined) schedule();
    },
    isIdle: () => running === undefined && waiting === undefined,
    running: () => running,
    result: () => last?.result,
    standing() {
      const known = lane.standing();
      const unread = isUnread();
      const differences = unread ? Math.max(1, known.differences) : known.differences;
      return { ...known, differences, unread, inForce: known.inForce && !unread };
    },
    stalledMs: () => (due === undefined ? 0 : Math.max(0, clock.monotonic() - due)),
    step() {
      if (running !== undefined) due = clock.monotonic();
    },
    async stop() {
      stopped = true;
      timer?.[Symbol.dispose]();
      await running;
    },
  };
}

function stronger(a: Trigger | undefined, b: Trigger): Trigger {
  return a === undefined || triggers.indexOf(b) < triggers.indexOf(a) ? b : a;
}
