import { type Family, families } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Backend } from "../backend/contract.ts";
import type { Clock } from "../clock.ts";
import type { Policy } from "../policy/policy.ts";
import { type Culprit, type ReconcileEvent, type SyncResult, type Trigger, triggers } from "./event.ts";
import { createLane, type Lane, type PassEnd } from "./lane.ts";

/**
 * The loop promises a minimum gap between passes, a maximum gap (the resync interval) and a retry after failure, and
 * owns nothing else. Passes of one family never overlap; requests made meanwhile become one pass after it. The two
 * families run beside each other: neither waits for, nor fails with, the other.
 */
export interface Loop {
  /** Puts a policy in force. A policy that comes while a pass runs is taken by the next one. */
  setPolicy(policy: Policy, trigger: "start" | "config"): void;
  /** Takes effect at once: the next pass is due this long after the last one. */
  setResyncInterval(milliseconds: number): void;
  /**
   * How often to look for drift between resyncs, where the kernel tells of no changes: milliseconds; undefined: it does.
   * A look that takes long comes more rarely: looking takes 1 % of the time at most (lesson 11). Takes effect at once.
   */
  setDriftCheckInterval(milliseconds: number | undefined): void;
  /** Something may have changed in the kernel, of one family or any. Means nothing before the first policy. */
  hint(family?: Family, by?: Culprit): void;
  /** Resolves when no pass is running or asked for (a pending resync or retry does not count). */
  idle(): Promise<ReadonlyMap<Family, SyncResult>>;
  /** Every family that is on has its policy in force, and it was observed so. */
  inForce(): boolean;
  /** The pass of this family that runs now, as a promise of its end; undefined: none runs. */
  running(family: Family): Promise<void> | undefined;
  /**
   * Milliseconds since the loop last did what it owes: 0 while nothing is due; otherwise how long a pass has run or
   * how far the next one is overdue. Failing passes are progress: liveness must not depend on apply (lesson 16).
   */
  stalledMs(): number;
  /** Starts nothing more, aborts what runs, and resolves when that has ended. Rules stay. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly backend: Backend;
  readonly capabilities: Capabilities;
  /** Other backends, whose rules are removed per family once ours are in force. */
  readonly former?: readonly Backend[];
  readonly clock: Clock;
  readonly resyncIntervalMs: number;
  /** See `Loop.setDriftCheckInterval`. Default: no looks between resyncs. */
  readonly driftCheckIntervalMs?: number;
  /** Least time from one pass's end to the next one's start, in milliseconds. Default 10. */
  readonly minimumGapMs?: number;
  /** Wait after a first failure. Default 250. */
  readonly retryFirstMs?: number;
  random?(): number;
  onEvent(event: ReconcileEvent): void;
}

/** Looking takes one part in so many of the time. */
const lookingShare = 100;

export function createLoop(options: LoopOptions): Loop {
  const { backend, clock } = options;
  const minimumGapMs = options.minimumGapMs ?? 10;
  const stopping = new AbortController();
  let { resyncIntervalMs, driftCheckIntervalMs } = options;
  const idleWaiters: (() => void)[] = [];

  const tracks = families.map((family) => createTrack(family));

  function createTrack(family: Family): Track {
    const lane = createLane({
      family,
      backend,
      capabilities: options.capabilities,
      former: options.former ?? [],
      clock,
      signal: stopping.signal,
      resyncIntervalMs: () => resyncIntervalMs,
      retryFirstMs: options.retryFirstMs ?? 250,
      random: options.random ?? Math.random,
      onEvent: options.onEvent,
    });
    return {
      family,
      lane,
      on: false,
      waiting: undefined,
      by: undefined,
      heldUntil: Number.NEGATIVE_INFINITY,
      observeMs: 0,
      running: undefined,
      timer: undefined,
      due: undefined,
      ended: Number.NEGATIVE_INFINITY,
      result: undefined,
    };
  }

  function request(track: Track, trigger: Trigger): void {
    if (stopping.signal.aborted) return;
    if (track.on) {
      options.onEvent({ type: "queued", backend: backend.name, family: track.family, trigger, at: clock.wall() });
    }
    track.waiting = stronger(track.waiting, trigger);
    if (track.running === undefined) schedule(track, earliest(track) - clock.monotonic());
  }

  /** When what waits may begin: after the gap; in a conflict, hints and regular looks after the hold. */
  function earliest({ waiting, ended, heldUntil }: Track): number {
    const urgent = waiting === "start" || waiting === "config" || waiting === "retry";
    return Math.max(ended + minimumGapMs, urgent ? Number.NEGATIVE_INFINITY : heldUntil);
  }

  /** When to look although nothing calls for it. */
  function regularDelay(track: Track): number {
    if (driftCheckIntervalMs === undefined) return resyncIntervalMs;
    const busy = lookingShare * track.observeMs * tracks.filter(({ on }) => on).length;
    return Math.min(resyncIntervalMs, Math.max(driftCheckIntervalMs, busy));
  }

  /** What is due regularly is due after the hold at the latest: a conflict may leave no hint behind. */
  function scheduleRegular(track: Track): void {
    const now = clock.monotonic();
    const due = track.ended + regularDelay(track);
    schedule(track, (track.heldUntil > now ? track.heldUntil : due) - now);
  }

  /** The one timer of a track: for a pass that was asked for, else for the retry or resync that will ask. */
  function schedule(track: Track, inMs: number): void {
    track.timer?.[Symbol.dispose]();
    track.timer = undefined;
    track.due = clock.monotonic() + Math.max(0, inMs);
    if (track.waiting !== undefined && inMs <= 0) start(track);
    else
      track.timer = clock.timer(Math.max(0, inMs), () =>
        track.waiting === undefined ? requestDue(track) : start(track),
      );
  }

  function requestDue(track: Track): void {
    const early = driftCheckIntervalMs !== undefined && clock.monotonic() - track.ended < resyncIntervalMs - 1;
    request(track, track.result === "failed" ? "retry" : early ? "poll" : "resync");
  }

  function start(track: Track): void {
    const trigger = track.waiting ?? "resync";
    track.timer?.[Symbol.dispose]();
    track.timer = undefined;
    const { by } = track;
    track.waiting = undefined;
    track.by = undefined;
    track.due = clock.monotonic();
    track.running = track.lane.pass(trigger, by).then((end) => onEnd(track, end));
  }

  function onEnd(track: Track, { result, next, observeMs, holdMs }: PassEnd): void {
    track.running = undefined;
    track.ended = clock.monotonic();
    track.result = result;
    track.due = undefined;
    if (observeMs > 0) track.observeMs = observeMs;
    if (holdMs > 0) track.heldUntil = track.ended + holdMs;
    if (stopping.signal.aborted) return;
    if (track.waiting !== undefined) schedule(track, earliest(track) - track.ended);
    else if (next === "regular") scheduleRegular(track);
    else if (next !== "never") schedule(track, next.retryInMs);
    if (tracks.every(isIdle)) for (const wake of idleWaiters.splice(0)) wake();
  }

  /** A retry keeps its own pace, and a pass that was asked for waits for nothing. */
  function rescheduleRegular(): void {
    for (const track of tracks) {
      if (!track.on || track.timer === undefined || track.waiting !== undefined || track.result === "failed") continue;
      scheduleRegular(track);
    }
  }

  return {
    setPolicy(policy, trigger) {
      for (const track of tracks) {
        const wanted = policy[track.family];
        track.on = wanted !== undefined;
        track.lane.setPolicy(wanted);
        request(track, trigger);
      }
    },
    setResyncInterval(milliseconds) {
      resyncIntervalMs = milliseconds;
      rescheduleRegular();
    },
    setDriftCheckInterval(milliseconds) {
      driftCheckIntervalMs = milliseconds;
      rescheduleRegular();
    },
    hint(family, by) {
      for (const track of tracks) {
        if (!track.on || (family !== undefined && family !== track.family)) continue;
        track.by = by ?? track.by;
        request(track, "hint");
      }
    },
    async idle() {
      if (!tracks.every(isIdle)) await new Promise<void>((resolve) => idleWaiters.push(resolve));
      return new Map(tracks.flatMap((track) => (track.result === undefined ? [] : [[track.family, track.result]])));
    },
    inForce: () => tracks.some((track) => track.on) && tracks.every((track) => !track.on || track.lane.inForce()),
    running: (family) => tracks.find((track) => track.family === family)?.running,
    stalledMs() {
      const now = clock.monotonic();
      return Math.max(0, ...tracks.map((track) => (track.due === undefined ? 0 : now - track.due)));
    },
    async stop() {
      stopping.abort();
      for (const track of tracks) track.timer?.[Symbol.dispose]();
      await Promise.all(tracks.map((track) => track.running));
      for (const wake of idleWaiters.splice(0)) wake();
    },
  };
}

/** One family's lane with the time that belongs to it. */
interface Track {
  readonly family: Family;
  readonly lane: Lane;
  /** The policy has this family. */
  on: boolean;
  waiting: Trigger | undefined;
  /** Whose change the hint that waits told of. */
  by: Culprit | undefined;
  /** Monotonic time until which a conflict keeps hints and regular looks waiting. */
  heldUntil: number;
  /** How long the last look took, milliseconds. */
  observeMs: number;
  running: Promise<void> | undefined;
  timer: Disposable | undefined;
  /** Monotonic time at which a pass is due, or since when one runs. */
  due: number | undefined;
  ended: number;
  result: SyncResult | undefined;
}

function isIdle(track: Track): boolean {
  return track.running === undefined && track.waiting === undefined;
}

function stronger(a: Trigger | undefined, b: Trigger): Trigger {
  return a === undefined || triggers.indexOf(b) < triggers.indexOf(a) ? b : a;
}
