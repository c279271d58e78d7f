import { type Clock, retryDelay, visible } from "@ip-masq-agent/core";
import type { Story } from "../running/story.ts";
import type { Api } from "./api.ts";
import { ApiError, type Asked, unreachable } from "./api-error.ts";

export interface RecorderOptions {
  readonly api: Api;
  /** The node's name in Kubernetes. */
  readonly node: string;
  readonly clock: Clock;
  onWritten(): void;
  /** Told of every failure; `isNew`: for another reason than the last time, or the first after a success. */
  onFailure(error: ApiError, isNew: boolean): void;
}

/** Writes Events about the Node, where `kubectl describe node` finds them. */
export interface Recorder extends AsyncDisposable {
  tell(story: Story): void;
}

/** Events of objects without a namespace are kept here (client-go does the same). */
const namespace = "default";
/** Between two writes of one reason: at first, and at most. A thousand repairs in an hour are ten writes. */
const gapMs = { first: 30_000, most: 600_000 } as const;
/** A reason that was quiet for so long begins a new Event; the API server keeps one for an hour. */
const quietMs = 20 * 60_000;
/** One broken ConfigMap is an Event of every node: they do not all write in the same moment. */
const spreadMs = 5_000;
/** What waits at the end is written, if that takes no longer. */
const farewellMs = 500;
const longestMessage = 1_000;

/** One reason's Event: what it says now, and what of it has been written. */
interface Series {
  readonly reason: string;
  readonly name: string;
  readonly firstAt: string;
  type: Story["type"];
  message: string;
  count: number;
  lastAt: string;
  lastMs: number;
  written: number;
  gap: number;
  /** Monotonic time before which nothing is written. */
  notBefore: number;
  failures: number;
  /** Its creation failed in a way that may have been a success: the answer was lost. */
  isPerhapsThere: boolean;
}

/**
 * One Event for each reason, counted up while it goes on: the first is written within 5 s, the next after 30 s, then ever
 * more rarely. What cannot be written waits, as one Event with its count; nothing waits for it.
 */
export function createRecorder(options: RecorderOptions): Recorder {
  const { api, node, clock } = options;
  const stopping = new AbortController();
  const all = new Map<string, Series>();
  let timer: Disposable | undefined;
  let writing: Promise<void> | undefined;
  let failed = "";
  let isEnding = false;

  function begin({ reason, type, message }: Story, now: number, at: string): Series {
    const name = `${node}.ip-masq-agent.${reason.toLowerCase()}.${clock.wall().toString(16)}`;
    const empty = {
      count: 0,
      written: 0,
      gap: gapMs.first,
      notBefore: now + Math.random() * spreadMs,
      failures: 0,
      isPerhapsThere: false,
    };
    return { ...{ reason, type, message, name, firstAt: at, lastAt: at, lastMs: now }, ...empty };
  }

  function schedule(): void {
    timer?.[Symbol.dispose]();
    timer = undefined;
    if (isEnding || writing !== undefined) return;
    const waiting = [...all.values()].filter(({ count, written }) => count > written);
    if (waiting.length === 0) return;
    const due = Math.min(...waiting.map(({ notBefore }) => notBefore)) - clock.monotonic();
    timer = clock.timer(Math.max(0, due), () => {
      writing = writeDue().finally(() => {
        writing = undefined;
        schedule();
      });
    });
  }

  async function writeDue(): Promise<void> {
    const now = clock.monotonic();
    for (const series of all.values()) {
      if (series.count === series.written || (series.notBefore > now && !isEnding)) continue;
      if (stopping.signal.aborted) return;
      await write(series);
    }
  }

  async function write(series: Series): Promise<void> {
    const { count } = series;
    try {
      if (series.written === 0 && !series.isPerhapsThere) await create(series);
      else await patch(series).catch((cause: unknown) => (isGone(cause) ? create(series) : Promise.reject(cause)));
      series.written = count;
      series.failures = 0;
      series.notBefore = clock.monotonic() + series.gap;
      series.gap = Math.min(series.gap * 2, gapMs.most);
      failed = "";
      options.onWritten();
    } catch (cause) {
      if (stopping.signal.aborted) return;
      const error = cause instanceof ApiError ? cause : unreachable(asked("create"), "the API server", cause);
      series.failures++;
      series.isPerhapsThere = error.reason === "unreachable" || error.reason === "other";
      const pace = { firstMs: 1_000, capMs: 300_000, random: Math.random };
      series.notBefore = clock.monotonic() + Math.max(retryDelay(series.failures, pace), error.retryAfterMs ?? 0);
      options.onFailure(error, failed !== error.reason);
      failed = error.reason;
    }
  }

  const asked = (verb: Asked["verb"]): Asked => ({ verb, resource: "events", namespace });
  const path = `/api/v1/namespaces/${namespace}/events`;

  async function create(series: Series): Promise<void> {
    const { reason, type, name, firstAt } = series;
    const body = {
      ...{ apiVersion: "v1", kind: "Event", metadata: { name, namespace }, reason, type },
      // The kubelet names itself by the node's name in place of its uid, and kubectl describe looks for that.
      involvedObject: { apiVersion: "v1", kind: "Node", name: node, uid: node },
      source: { component: "ip-masq-agent", host: node },
      ...{ reportingComponent: "ip-masq-agent", reportingInstance: node, firstTimestamp: firstAt },
      ...latest(series),
    };
    await api.call({ asked: asked("create"), path, method: "POST", body, signal: stopping.signal });
  }

  async function patch(series: Series): Promise<void> {
    const signal = stopping.signal;
    await api.call({
      asked: asked("patch"),
      path: `${path}/${series.name}`,
      method: "PATCH",
      body: latest(series),
      signal,
    });
  }

  return {
    tell(story) {
      if (isEnding) return;
      const now = clock.monotonic();
      const at = new Date(clock.wall()).toISOString();
      const known = all.get(story.reason);
      const isOver = ({ written, count, lastMs }: Series) => written === count && now - lastMs > quietMs;
      const series = known === undefined || isOver(known) ? begin(story, now, at) : known;
      all.set(story.reason, series);
      const { type, message } = story;
      Object.assign(series, { type, message, lastAt: at, lastMs: now, count: series.count + 1 });
      schedule();
    },
    async [Symbol.asyncDispose]() {
      isEnding = true;
      timer?.[Symbol.dispose]();
      using _limit = clock.timer(failed === "" ? farewellMs : 0, () => stopping.abort(new Error("stopped")));
      await writing;
      await writeDue();
      stopping.abort(new Error("stopped"));
    },
  };
}

function latest({ count, lastAt, message }: Series): object {
  // kubectl describe prints it as it is: a process' name must not become a command of somebody's terminal.
  const text = visible(message);
  const short = text.length > longestMessage ? `${text.slice(0, longestMessage - 1)}…` : text;
  return { count, lastTimestamp: `${lastAt.slice(0, 19)}Z`, message: short };
}

/** The API server forgets Events after an hour or so. */
function isGone(cause: unknown): boolean {
  return cause instanceof ApiError && cause.reason === "not_found";
}
