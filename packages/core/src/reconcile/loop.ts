import { type Family, families } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Backend } from "../backend/contract.ts";
import type { Clock } from "../clock.ts";
import type { Policy } from "../policy/policy.ts";
import type { Culprit, ReconcileEvent, Standing, SyncResult, Trigger } from "./event.ts";
import { createLane } from "./lane.ts";
import { telling } from "./progress.ts";
import { createTrack, type Delays, type Track } from "./track.ts";

/**
 * The loop promises a pace between passes, a maximum gap (the resync interval) and a retry after failure, and owns nothing
 * else. Passes of one family never overlap; requests made meanwhile become one pass after it. The two families run beside
 * each other: neither waits for, nor fails with, the other.
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
  /**
   * Compares every family that is on at once, because somebody asks for it: that waits neither for the pace of repairs
   * nor for a backoff.
   */
  compare(): void;
  /** Resolves when no pass is running or asked for (a pending resync or retry does not count). */
  idle(): Promise<ReadonlyMap<Family, SyncResult>>;
  /** Every family that is on has its policy in force: it was observed so, and nothing is known that says otherwise. */
  inForce(): boolean;
  /** What is known now of each family that is on. */
  standings(): readonly Standing[];
  /** The pass of this family that runs now, as a promise of its end; undefined: none runs. */
  running(family: Family): Promise<void> | undefined;
  /**
   * Milliseconds since the loop last did what it owes: 0 while nothing is due; otherwise since the pass that runs made its
   * last step (an observation, a transaction, a cleanup), or how far the next pass is overdue. Failing passes are
   * progress: liveness must not depend on apply (lesson 16).
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
/** In a conflict rules are read, and written, about once a second. */
const contestedMs = 1_000;

export function createLoop(options: LoopOptions): Loop {
  const { backend, clock } = options;
  const stopping = new AbortController();
  let { resyncIntervalMs, driftCheckIntervalMs } = options;
  const idleWaiters: (() => void)[] = [];
  const on = new Set<Family>();

  const tracks = families.map((family): [Family, Lanes] => [family, createLanes(family)]);

  function createLanes(family: Family): Lanes {
    const onStep = () => track.step();
    const lane = createLane({
      family,
      backend: telling(backend, onStep),
      capabilities: options.capabilities,
      former: (options.former ?? []).map((other) => telling(other, onStep)),
      clock,
      signal: stopping.signal,
      resyncIntervalMs: () => resyncIntervalMs,
      retryFirstMs: options.retryFirstMs ?? 250,
      random: options.random ?? Math.random,
      onEvent: options.onEvent,
    });
    const track = createTrack({
      ...{ lane, clock, delays },
      minimumGapMs: options.minimumGapMs ?? 10,
      onQueued(trigger) {
        if (!on.has(family)) return;
        options.onEvent({ type: "queued", backend: backend.name, family, trigger, at: clock.wall() });
      },
      onIdle,
    });
    return { lane, track };
  }

  function delays(observeMs: number): Delays {
    const resync = resyncIntervalMs;
    if (driftCheckIntervalMs === undefined) return { resync, regular: resync, contested: resync, verify: contestedMs };
    const busy = lookingShare * observeMs * on.size;
    const regular = Math.min(resync, Math.max(driftCheckIntervalMs, busy));
    const verify = Math.max(contestedMs, busy);
    return { resync, regular, contested: Math.min(regular, verify), verify };
  }

  function isIdle(): boolean {
    return tracks.every(([, { track }]) => track.isIdle());
  }

  function onIdle(): void {
    if (isIdle()) for (const wake of idleWaiters.splice(0)) wake();
  }

  function standings(): readonly Standing[] {
    return tracks.flatMap(([family, { track }]) => (on.has(family) ? [track.standing()] : []));
  }

  /** A retry keeps its own pace, and a pass that was asked for waits for nothing. */
  function reschedule(): void {
    for (const [family, { track }] of tracks) if (on.has(family)) track.reschedule();
  }

  function request(trigger: Trigger, family?: Family, by?: Culprit): void {
    for (const [name, { track }] of tracks) {
      if (on.has(name) && (family ?? name) === name) track.request(trigger, by);
    }
  }

  return {
    setPolicy(policy, trigger) {
      for (const [family, { lane, track }] of tracks) {
        const wanted = policy[family];
        if (wanted === undefined) on.delete(family);
        else on.add(family);
        lane.setPolicy(wanted);
        track.request(trigger);
      }
    },
    setResyncInterval(milliseconds) {
      resyncIntervalMs = milliseconds;
      reschedule();
    },
    setDriftCheckInterval(milliseconds) {
      driftCheckIntervalMs = milliseconds;
      reschedule();
    },
    hint: (family, by) => request("hint", family, by),
    compare() {
      for (const [family, { track }] of tracks) if (on.has(family)) track.compare();
    },
    async idle() {
      if (!isIdle()) await new Promise<void>((resolve) => idleWaiters.push(resolve));
      return new Map(
        tracks.flatMap(([family, { track }]): readonly [Family, SyncResult][] => {
          const result = track.result();
          return result === undefined ? [] : [[family, result]];
        }),
      );
    },
    inForce: () => on.size > 0 && standings().every(({ inForce }) => inForce),
    running: (family) => tracks.find(([name]) => name === family)?.[1].track.running(),
    standings,
    stalledMs: () => Math.max(0, ...tracks.map(([, { track }]) => track.stalledMs())),
    async stop() {
      stopping.abort();
      await Promise.all(tracks.map(([, { track }]) => track.stop()));
      for (const wake of idleWaiters.splice(0)) wake();
    },
  };
}

/** What one family has: its passes, and when they run. */
interface Lanes {
  readonly lane: ReturnType<typeof createLane>;
  readonly track: Track;
}
