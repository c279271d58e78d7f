import type { Clock } from "@ip-masq-agent/core";
import type { Snapshot } from "./snapshot.ts";
import { watchConfig } from "./watch.ts";

/** Where the agent's wishes come from: the config, and what is added to it. */
export interface Inputs extends AsyncDisposable {
  /** As it is known now. */
  now(): Snapshot;
  /** The snapshot was found good: it is what a restart may begin with. */
  accepted(snapshot: Snapshot): void;
  /** What an earlier process found good last, for a start whose first snapshot is not; undefined: not known. */
  lastGood(): Promise<Snapshot | undefined>;
  /** Objects that are watched through the API; none where all is read from files. */
  watches(): readonly WatchStatus[];
}

/** A watch through the API, as `status` shows it. Times are ISO 8601. */
export interface WatchStatus {
  /** `configmap kube-system/ip-masq-agent` */
  readonly object: string;
  readonly state: "starting" | "up" | "down";
  readonly why?: string;
  /** Down since. */
  readonly since?: string;
  /** What is in use is a copy of this time, from before the agent's start. */
  readonly copiedAt?: string;
}

export interface InputsOptions {
  readonly path: string;
  readonly clock: Clock;
  onChange(snapshot: Snapshot): void;
  /** The file cannot be watched: it is read at intervals instead. */
  onTrouble(cause: unknown): void;
}

/** The config's path alone: neither token nor API. */
export async function openFileInputs({ path, clock, onChange, onTrouble }: InputsOptions): Promise<Inputs> {
  let latest: Snapshot | undefined;
  const watch = await watchConfig({
    ...{ path, clock, onTrouble },
    onChange(snapshot) {
      latest = snapshot;
      onChange(snapshot);
    },
  });
  return {
    now: () => latest ?? watch.first,
    accepted() {},
    lastGood: async () => undefined,
    watches: () => [],
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]();
    },
  };
}
