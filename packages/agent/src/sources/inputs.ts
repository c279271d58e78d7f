import type { Clock } from "@ip-masq-agent/core";
import { type ConfigCopy, configCopy } from "./config-copy.ts";
import type { Snapshot } from "./snapshot.ts";
import { watchConfig } from "./watch.ts";

/** Where the agent's wishes come from: the config, and what is added to it. */
export interface Inputs extends AsyncDisposable {
  /** As it is known now. */
  now(): Snapshot;
  /** Reads now what is otherwise read when it changes, or at intervals. A change is told as any other. */
  readNow(): Promise<void>;
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
  /** Where a copy of the config's files is kept for a restart without them; undefined: nowhere. */
  readonly keepIn: string | undefined;
  onChange(snapshot: Snapshot): void;
  /** The file cannot be watched: it is read at intervals instead. */
  onTrouble(cause: unknown): void;
  /** A copy cannot be written. Told once. */
  onCopyTrouble(file: string, cause: unknown): void;
  /** There is a copy, but it is damaged, or of something else. */
  onCopyIgnored(file: string, why: string): void;
}

/** The config's path alone: neither token nor API. */
export async function openFileInputs(options: InputsOptions): Promise<Inputs> {
  const { path, clock, onChange, onTrouble } = options;
  const kept = keepConfig(options);
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
    readNow: () => watch.readNow(),
    accepted: kept.accepted,
    lastGood: kept.lastGood,
    watches: () => [],
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]();
      await kept[Symbol.asyncDispose]();
    },
  };
}

/** The config's files as they were found good last, over a restart. */
export interface KeptConfig extends AsyncDisposable {
  accepted(snapshot: Snapshot): void;
  lastGood(): Promise<Snapshot | undefined>;
}

type KeepOptions = Pick<InputsOptions, "path" | "clock" | "keepIn" | "onCopyTrouble" | "onCopyIgnored">;

/** Keeps them where that is asked for; else it does nothing. */
export function keepConfig({ path, clock, keepIn, onCopyTrouble, onCopyIgnored }: KeepOptions): KeptConfig {
  const copy: ConfigCopy | undefined = keepIn === undefined ? undefined : configCopy(keepIn, path, clock);
  let writing: Promise<void> = Promise.resolve();
  let troubled = false;

  async function write(to: ConfigCopy, snapshot: Snapshot): Promise<void> {
    try {
      await to.write(snapshot);
    } catch (cause) {
      if (!troubled) onCopyTrouble(to.file, cause);
      troubled = true;
    }
  }

  return {
    accepted(snapshot) {
      if (copy !== undefined && snapshot.sources.length > 0) writing = write(copy, snapshot);
    },
    async lastGood() {
      const { snapshot, ignored } = (await copy?.read()) ?? {};
      if (copy !== undefined && ignored !== undefined) onCopyIgnored(copy.file, ignored);
      return snapshot;
    },
    // What was accepted just before the end is written.
    [Symbol.asyncDispose]: () => writing,
  };
}
