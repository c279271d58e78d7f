import type { Clock } from "@ip-masq-agent/core";
import type { CachedCopy } from "../sources/cached-copy.ts";
import type { Api } from "./api.ts";
import type { ApiError } from "./api-error.ts";
import { type Watched, type WatchState, watchObject } from "./watch-object.ts";

/** An object as it is followed: as the API has it, or as an earlier process of this node last saw it. */
export interface Followed {
  /** Undefined or null: there is none. */
  readonly object: unknown;
  /** ISO 8601; absent: from the API. */
  readonly copiedAt?: string;
}

export interface FollowOptions {
  readonly api: Api;
  readonly object: Watched;
  readonly copy: CachedCopy;
  readonly clock: Clock;
  /** Told of every change after the first. */
  onChange(followed: Followed): void;
  onState(state: WatchState): void;
  onFailure(error: ApiError): void;
  /** There is a copy, but it is damaged, or of something else. */
  onCopyIgnored(why: string): void;
}

export interface Following extends AsyncDisposable {
  /** The object; the cached copy where the API does not answer soon; undefined where there is neither. */
  readonly first: Promise<Followed | undefined>;
  /** Asks the API again at once, where the next try is waited for. */
  again(): void;
}

/** How long a start waits for the API before it takes the cached copy. */
const patienceMs = 2_000;
/** `kubectl replace --force` and others delete and create: the defaults must not be in force in between. */
const deletionMs = 2_000;

/** Follows an object through the API, and begins with the cached copy where the API cannot be reached. */
export function follow({ api, object, copy, clock, ...on }: FollowOptions): Following {
  const { promise: seen, resolve } = Promise.withResolvers<unknown>();
  let begun = false;
  let fresh: Followed | undefined;
  let isThere = false;
  let deletion: Disposable | undefined;

  function tell(followed: Followed): void {
    if (begun) on.onChange(followed);
    else {
      fresh = followed;
      resolve(followed);
    }
  }

  const watch = watchObject({
    ...{ api, object, clock, random: Math.random, onState: on.onState, onFailure: on.onFailure },
    onObject(found) {
      deletion?.[Symbol.dispose]();
      deletion = undefined;
      if (found === undefined && isThere) deletion = clock.timer(deletionMs, () => tell({ object: undefined }));
      else tell({ object: found });
      isThere = found !== undefined;
    },
  });

  async function first(): Promise<Followed | undefined> {
    const patience = clock.timer(patienceMs, () => resolve(undefined));
    await seen;
    patience[Symbol.dispose]();
    const { copy: kept, ignored } = fresh === undefined ? await copy.read() : {};
    if (ignored !== undefined && fresh === undefined) on.onCopyIgnored(ignored);
    begun = true;
    // The API may have answered while the copy was read.
    return fresh ?? (kept && { object: kept.object, copiedAt: kept.savedAt });
  }

  return {
    first: first(),
    again: () => watch.again(),
    async [Symbol.asyncDispose]() {
      deletion?.[Symbol.dispose]();
      await watch[Symbol.asyncDispose]();
    },
  };
}
