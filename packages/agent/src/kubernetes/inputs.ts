import type { Clock } from "@ip-masq-agent/core";
import type { ConfigMapName } from "../flags/flag.ts";
import { type CachedCopy, cachedCopy } from "../sources/cached-copy.ts";
import { type Inputs, type InputsOptions, keepConfig, type WatchStatus } from "../sources/inputs.ts";
import { SourceError } from "../sources/read.ts";
import { type Snapshot, snapshotOf } from "../sources/snapshot.ts";
import { type ConfigWatch, watchConfig } from "../sources/watch.ts";
import type { Api } from "./api.ts";
import type { ApiReason } from "./api-error.ts";
import { configMapSnapshot, configMapText, essence, watchedConfigMap } from "./config-map.ts";
import { type Followed, type Following, follow } from "./follow.ts";
import { podCidrEssence, watchedNode, withPodCidrs } from "./pod-cidrs.ts";
import type { Watched, WatchState } from "./watch-object.ts";

export interface ClusterInputsOptions extends InputsOptions {
  readonly api: Api;
  /** Whose pod CIDRs are exempt; undefined: nobody's. */
  readonly node: string | undefined;
  readonly configMap: ConfigMapName | undefined;
  /** Where copies are kept for a restart while the API does not answer. */
  readonly cacheDirectory: string;
  onWatch(resource: string, object: string, state: WatchState): void;
  onApiFailure(resource: string, reason: ApiReason): void;
  /** The API did not answer: the copy of this time is in use. */
  onCopyTaken(object: string, copiedAt: string): void;
}

/** Names of the cached copies. */
export const copies = { configMap: "config-map", node: "node" } as const;

/** The config from the API or from a file, and the node's own pod CIDRs where they are asked for: together one snapshot. */
export async function openClusterInputs(options: ClusterInputsOptions): Promise<Inputs> {
  const { path, clock, configMap, node, cacheDirectory } = options;
  await using stack = new AsyncDisposableStack();
  const watches: WatchStatus[] = [];
  const configName = configMap === undefined ? path : configMapText(configMap);
  const nodeName = `node ${node}`;
  const configCopy = cachedCopy(cacheDirectory, copies.configMap, configName);
  const nodeCopy = cachedCopy(cacheDirectory, copies.node, nodeName);
  const nodeAt = configMap === undefined ? 0 : 1;
  let config: Snapshot | undefined;
  let nodeSeen: Followed | undefined;
  let configSeen: Followed | undefined;
  let latest: Snapshot | undefined;
  let fileWatch: ConfigWatch | undefined;
  const keptFiles = stack.use(keepConfig(options));
  /** Watches that have told of a change since the start. */
  const told = new Set<number>();

  function followed(name: string, object: Watched, copy: CachedCopy, take: (seen: Followed) => void): Following {
    const at = watches.push({ object: name, state: "starting" }) - 1;
    return stack.use(
      follow({
        ...{ api: options.api, object, copy, clock },
        onChange(seen) {
          told.add(at);
          const { copiedAt: _, ...rest } = watches[at] ?? { object: name, state: "starting" };
          watches[at] = rest;
          take(seen);
          publish();
        },
        onState(state) {
          const before = watches[at];
          const copiedAt = before?.copiedAt === undefined ? {} : { copiedAt: before.copiedAt };
          watches[at] = { object: name, ...copiedAt, ...stateOf(state, before, clock) };
          options.onWatch(object.resource, name, state);
        },
        onFailure: (error) => options.onApiFailure(object.resource, error.reason),
        onCopyIgnored: (why) => options.onCopyIgnored(copy.file, why),
      }),
    );
  }

  async function begin(at: number, following: Following, take: (seen: Followed) => void): Promise<void> {
    const first = await following.first;
    const seen = (at === nodeAt && first?.object === undefined ? await copiedNode() : undefined) ?? first;
    // A Node that is there again by the time the copy has been read: what the API says of it counts.
    if (at === nodeAt && told.has(at) && nodeSeen?.object !== undefined) return;
    if (seen?.copiedAt !== undefined) {
      const { object, state } = watches[at] ?? { object: "", state: "starting" };
      watches[at] = { ...watches[at], object, state, copiedAt: seen.copiedAt };
      options.onCopyTaken(object, seen.copiedAt);
    }
    if (seen !== undefined) take(seen);
  }

  /** A Node that was deleted keeps its pod CIDRs for a restart too. */
  async function copiedNode(): Promise<Followed | undefined> {
    const { copy: kept, ignored } = await nodeCopy.read();
    if (ignored !== undefined) options.onCopyIgnored(nodeCopy.file, ignored);
    return kept && { object: kept.object, copiedAt: kept.savedAt };
  }

  async function copiedConfigMap(where: ConfigMapName): Promise<Snapshot | undefined> {
    const { copy: kept, ignored } = await configCopy.read();
    if (ignored !== undefined) options.onCopyIgnored(configCopy.file, ignored);
    return kept && { ...configMapSnapshot(where, kept.object), copiedAt: kept.savedAt };
  }

  function takeConfig(seen: Followed): void {
    configSeen = seen;
    if (configMap !== undefined) config = configMapSnapshot(configMap, seen.object);
  }

  function takeNode(seen: Followed): void {
    // A Node object that is gone is a node on its way out; its pods are not to be masqueraded meanwhile.
    if (seen.object === undefined && nodeSeen?.object !== undefined) return;
    nodeSeen = seen;
    if (seen.object !== undefined && seen.copiedAt === undefined) keep(nodeCopy, podCidrEssence(seen.object));
  }

  /** What an API server says that is back is most often what was known before. */
  function publish(): void {
    const before = latest?.key;
    latest = combine();
    if (latest.key !== before) options.onChange(latest);
  }

  function combine(): Snapshot {
    const own = config ?? unknown(configName);
    if (node === undefined || own.error !== undefined) return own;
    return nodeSeen === undefined ? unknown(nodeName) : withPodCidrs(own, node, nodeSeen.object);
  }

  /** Why nothing is known of an object, in the words of its watch. */
  function unknown(name: string): Snapshot {
    const watch = watches.find(({ object }) => object === name);
    return snapshotOf(
      new SourceError({
        ...{ severity: "error", code: "api-silent", file: name },
        reason: `is not known yet: ${watch?.why ?? "the API server has not answered"}, and there is no cached copy in ${cacheDirectory}`,
        remedy: "it is taken as soon as the API server gives it",
      }),
    );
  }

  let troubled = false;
  let keeping: Promise<void> = Promise.resolve();
  function keep(copy: CachedCopy, object: unknown): void {
    keeping = Promise.all([keeping, write(copy, object)]).then(() => {});
  }

  async function write(copy: CachedCopy, object: unknown): Promise<void> {
    try {
      await copy.write({ savedAt: new Date(clock.wall()).toISOString(), object });
    } catch (cause) {
      if (!troubled) options.onCopyTrouble(copy.file, cause);
      troubled = true;
    }
  }

  const configWatch = configMap && followed(configName, watchedConfigMap(configMap), configCopy, takeConfig);
  const nodeWatch = node === undefined ? undefined : followed(nodeName, watchedNode(node), nodeCopy, takeNode);
  if (configMap === undefined) {
    fileWatch = stack.use(
      await watchConfig({
        ...{ path, clock, onTrouble: options.onTrouble },
        onChange(snapshot) {
          config = snapshot;
          publish();
        },
      }),
    );
    config = fileWatch.first;
  }
  await Promise.all([
    configWatch ? begin(0, configWatch, takeConfig) : undefined,
    nodeWatch ? begin(nodeAt, nodeWatch, takeNode) : undefined,
  ]);
  latest = combine();
  const kept = stack.move();
  return {
    now: () => latest ?? combine(),
    async readNow() {
      configWatch?.again();
      nodeWatch?.again();
      await fileWatch?.readNow();
    },
    accepted(snapshot) {
      if (snapshot !== latest) return;
      if (configMap === undefined) keptFiles.accepted(snapshot);
      else if (configSeen !== undefined && configSeen.copiedAt === undefined)
        keep(configCopy, essence(configSeen.object));
    },
    async lastGood() {
      const own = configMap === undefined ? await keptFiles.lastGood() : await copiedConfigMap(configMap);
      if (own === undefined) return undefined;
      if (node === undefined || nodeSeen === undefined) return node === undefined ? own : undefined;
      return withPodCidrs(own, node, nodeSeen.object);
    },
    watches: () => watches,
    async [Symbol.asyncDispose]() {
      await kept.disposeAsync();
      // What was accepted just before the end is written.
      await keeping;
    },
  };
}

function stateOf(state: WatchState, before: WatchStatus | undefined, clock: Clock): Omit<WatchStatus, "object"> {
  if (state.up) return { state: "up" };
  const since =
    before?.state === "down" && before.since !== undefined ? before.since : new Date(clock.wall()).toISOString();
  return { state: "down", why: state.error.message, since };
}
