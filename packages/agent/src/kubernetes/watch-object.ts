import { type Clock, retryDelay } from "@ip-masq-agent/core";
import type { Api } from "./api.ts";
import { ApiError, type Asked, refusedBy, unreachable } from "./api-error.ts";
import { type KubernetesObject, objectOf, recordOf } from "./object.ts";

/** One object to be followed. */
export interface Watched {
  /** `/api/v1/namespaces/kube-system/configmaps` */
  readonly collection: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name: string;
}

export type WatchState =
  | { readonly up: true }
  | { readonly up: false; readonly error: ApiError; readonly retryInMs: number };

export interface ObjectWatchOptions {
  readonly api: Api;
  readonly object: Watched;
  readonly clock: Clock;
  random(): number;
  /** The object as it is now; undefined: there is none. Told at first, and of each change. */
  onObject(object: KubernetesObject | undefined): void;
  /** Told when the watch is up, and when it is down: not where the first try after a failure succeeds. */
  onState(state: WatchState): void;
  /** Told of each failure. */
  onFailure(error: ApiError): void;
}

export interface ObjectWatch extends AsyncDisposable {
  /** Ends the wait for the next try, where there is one. */
  again(): void;
}

/** How long the API server is asked to keep a watch, seconds: at random in between, so that they do not all end at once. */
const watchSeconds = { least: 300, most: 600 } as const;
/**
 * An API server has nothing to say, and sends no bookmark either, while no object of the kind changes: silence is a
 * failure only where a watch has outlived its time. A peer that is gone is found by TCP's keepalive within a minute.
 */
const graceMs = 10_000;
/** A connection that stood for so long and broke is begun anew at once: load balancers cut what is silent. */
const stoodMs = 10_000;
const pace = { firstMs: 500, capMs: 30_000 } as const;

/**
 * Follows one object: a list of one, then a watch from that version on, for ever. Broken off, the watch goes on from the
 * last version seen; ended in time, refused, or with its history gone (410), it begins with the list again, so that even
 * a lost event is found within minutes. By the name of the object the API server picks the watchers to tell, and etcd
 * reads one key: 5,000 nodes cost it 5,000 idle connections.
 */
export function watchObject(options: ObjectWatchOptions): ObjectWatch {
  const { api, object, clock, random } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const fieldSelector = `metadata.name=${object.name}`;
  let version: string | undefined;
  let told: string | undefined;
  let failures = 0;
  let openedAt: number | undefined;
  let wakeUp: (() => void) | undefined;

  const asked = (verb: Asked["verb"]): Asked => ({
    ...{ verb, resource: object.resource },
    ...(object.namespace !== undefined && { namespace: object.namespace }),
  });

  function tell(next: KubernetesObject | undefined): void {
    const key = next?.metadata.resourceVersion ?? "";
    if (key === told) return;
    told = key;
    options.onObject(next);
  }

  async function list(): Promise<void> {
    const answer = recordOf(
      await api.call({ asked: asked("list"), path: object.collection, query: { fieldSelector }, signal }),
    );
    const { resourceVersion } = recordOf(answer["metadata"]);
    const items: readonly unknown[] = Array.isArray(answer["items"]) ? answer["items"] : [];
    if (typeof resourceVersion !== "string")
      throw unreachable(asked("list"), object.collection, "what came is no list");
    version = resourceVersion;
    tell(items.map(objectOf).find((one) => one?.metadata.name === object.name));
  }

  async function watch(from: string): Promise<void> {
    const seconds = Math.round(watchSeconds.least + random() * (watchSeconds.most - watchSeconds.least));
    const began = clock.monotonic();
    await api.stream({
      ...{ asked: asked("watch"), path: object.collection, signal },
      silenceMs: seconds * 1000 + graceMs,
      query: {
        ...{ watch: "true", fieldSelector, resourceVersion: from, allowWatchBookmarks: "true" },
        timeoutSeconds: String(seconds),
      },
      onOpen() {
        openedAt = clock.monotonic();
        options.onState({ up: true });
      },
      onLine,
    });
    // An API server that shuts down ends its watches early, all at once: they must not all come back at once.
    const early = clock.monotonic() - began < seconds * 900;
    if (early) throw unreachable(asked("watch"), object.collection, "it ended the watch early");
    version = undefined;
  }

  function onLine(line: unknown): void {
    const { type, object: seen } = recordOf(line);
    if (type === "ERROR") {
      const { code, message } = recordOf(seen);
      throw refusedBy(asked("watch"), Number(code ?? 0), String(message ?? ""));
    }
    const next = objectOf(seen);
    if (next === undefined) return;
    failures = 0;
    version = next.metadata.resourceVersion;
    if (type !== "BOOKMARK" && next.metadata.name === object.name) tell(type === "DELETED" ? undefined : next);
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        if (version === undefined) await list();
        if (version !== undefined) await watch(version);
        failures = 0;
      } catch (cause) {
        if (signal.aborted) return;
        const error = cause instanceof ApiError ? cause : unreachable(asked("watch"), object.collection, cause);
        if (openedAt !== undefined && clock.monotonic() - openedAt > stoodMs) failures = 0;
        openedAt = undefined;
        failures++;
        if (concernsVersion(error)) version = undefined;
        const retryInMs = Math.max(retryDelay(failures, { ...pace, random }), error.retryAfterMs ?? 0);
        options.onFailure(error);
        // Connections break and history goes; a right that is missing stays so.
        if (failures > 1 || isLasting(error)) options.onState({ up: false, error, retryInMs });
        await pause(retryInMs);
      }
    }
  }

  async function pause(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    using _timer = clock.timer(milliseconds, wake);
    signal.addEventListener("abort", wake);
    wakeUp = wake;
    await promise;
    wakeUp = undefined;
    signal.removeEventListener("abort", wake);
  }

  const running = run();
  return {
    again: () => wakeUp?.(),
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error("stopped"));
      await running;
    },
  };
}

function isLasting({ reason }: ApiError): boolean {
  return reason === "forbidden" || reason === "unauthorized";
}

/** What the server refuses may be the version itself: too old (410) or, after a restore of etcd, not yet there. */
function concernsVersion({ reason }: ApiError): boolean {
  return reason === "gone" || reason === "not_found" || reason === "other";
}
