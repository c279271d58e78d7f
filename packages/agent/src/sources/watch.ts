import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, relative, sep } from "node:path";
import type { Clock } from "@ip-masq-agent/core";
import { type Snapshot, takeSnapshot } from "./snapshot.ts";

export interface WatchOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Told of every change of content, names or readability; not of the first snapshot. */
  onChange(snapshot: Snapshot): void;
  /** Watching failed: the poll goes on alone. Told once for each spell. */
  onTrouble(cause: unknown): void;
  /** How often to look without any event, in milliseconds. Default 5000. */
  readonly pollMs?: number;
}

/**
 * The kubelet writes a ConfigMap volume beside the old one and swaps the link `..data`: whole at once, so it is read at
 * once. Any other event may be the middle of a write: read when the directory has been quiet for a moment, and longer
 * where the file is gone or empty, which for an editor is only the first half of a save.
 */
const quietMs = { swap: 0, write: 10, blank: 50 } as const;
/** A writer that never pauses is read all the same after this long. */
const longestWaitMs = 60;

export interface ConfigWatch extends Disposable {
  readonly first: Snapshot;
  /** Reads the path now, whatever is waited for. A change is told as any other; resolves when it has been. */
  readNow(): Promise<void>;
}

/** Watches a config path. The directory is watched, not the file: files are replaced, and may come later. */
export async function watchConfig(options: WatchOptions): Promise<ConfigWatch> {
  const { path, clock } = options;
  let watched: { readonly directory: string; readonly id: string; readonly watcher: FSWatcher } | undefined;
  let timer: Disposable | undefined;
  let looking = true;
  let again: number | undefined;
  let waitingSince: number | undefined;
  let closed = false;
  let troubled = false;
  let last: Promise<void> = Promise.resolve();

  function lookIn(milliseconds: number): void {
    timer?.[Symbol.dispose]();
    timer = closed
      ? undefined
      : clock.timer(milliseconds, () => {
          if (!looking) last = look();
        });
  }

  function onEvent(directory: string, name: string | null): void {
    if (name !== null && !concerns(path, directory, name)) return;
    const quiet = name === "..data" ? quietMs.swap : quietMs.write;
    waitingSince ??= clock.monotonic();
    if (looking) again = quiet;
    else lookIn(Math.max(0, Math.min(quiet, waitingSince + longestWaitMs - clock.monotonic())));
  }

  async function look(): Promise<void> {
    if (closed || looking) return;
    looking = true;
    again = undefined;
    waitingSince = undefined;
    try {
      await arm();
      let next = await takeSnapshot(path);
      if (next.blank && !current.blank) {
        await new Promise<void>((resolve) => clock.timer(quietMs.blank, resolve));
        next = await takeSnapshot(path);
      }
      if (!closed && next.key !== current.key) {
        current = next;
        options.onChange(next);
      }
    } catch (cause) {
      options.onTrouble(cause);
    } finally {
      looking = false;
      lookIn(again ?? options.pollMs ?? 5000);
    }
  }

  /** Watches the nearest directory that exists, and again where it has become another one. */
  async function arm(): Promise<void> {
    const { directory, id } = await nearestDirectory(path);
    if (watched?.directory === directory && watched.id === id) return;
    watched?.watcher.close();
    watched = undefined;
    try {
      const watcher = watch(directory, { persistent: false }, (_, name) => onEvent(directory, name));
      watcher.on("error", (cause) => trouble(cause));
      watched = { directory, id, watcher };
      troubled = false;
    } catch (cause) {
      trouble(cause);
    }
  }

  function trouble(cause: unknown): void {
    watched?.watcher.close();
    watched = undefined;
    if (!troubled) options.onTrouble(explained(cause));
    troubled = true;
  }

  await arm();
  const first = await takeSnapshot(path);
  let current = first;
  looking = false;
  lookIn(again ?? options.pollMs ?? 5000);
  return {
    first,
    async readNow() {
      // The reading that is under way may have begun before the change that is asked after.
      last = last.then(look);
      await last;
    },
    [Symbol.dispose]() {
      closed = true;
      timer?.[Symbol.dispose]();
      watched?.watcher.close();
    },
  };
}

/** For inotify, these codes mean limits of its own besides those of descriptors and disks. */
const limits: Readonly<Record<string, string>> = {
  EMFILE: "too many open files or inotify instances; raise ulimit -n or fs.inotify.max_user_instances (sysctl)",
  ENOSPC: "too many inotify watches; raise fs.inotify.max_user_watches (sysctl)",
};

function explained(cause: unknown): unknown {
  const limit = cause instanceof Error && "code" in cause ? limits[String(cause.code)] : undefined;
  return limit === undefined ? cause : new Error(limit, { cause });
}

/** Whether an entry of a watched directory can matter to the config: in /etc or /tmp most do not. */
function concerns(path: string, directory: string, name: string): boolean {
  if (name === "..data" || name === basename(path)) return true;
  // The directory itself was removed or moved away: inotify tells it by the directory's own name.
  if (name === basename(directory)) return true;
  if (directory === path) return name.startsWith("ip-masq") || name === "config";
  // Above the config's own directory, only the next step on the way down matters.
  const way = relative(directory, path).split(sep);
  return way.length > 1 ? name === way[0] : name === "config";
}

async function nearestDirectory(path: string): Promise<{ readonly directory: string; readonly id: string }> {
  for (let directory = path; ; directory = dirname(directory)) {
    const found = await stat(directory).catch(() => undefined);
    // A file system gives the number of a removed directory to the next one that is made.
    if (found?.isDirectory()) return { directory, id: `${found.dev} ${found.ino} ${found.birthtimeMs}` };
    if (directory === dirname(directory)) return { directory, id: "" };
  }
}
