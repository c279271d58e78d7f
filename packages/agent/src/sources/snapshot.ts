import { createHash } from "node:crypto";
import type { ConfigSource, ExemptEntry, Finding } from "@ip-masq-agent/core";
import { noConfigFile, readSources, SourceError } from "./read.ts";

/** What was at the config's place at one moment: the files, or why they could not be read. */
export interface Snapshot {
  readonly sources: readonly ConfigSource[];
  readonly error: SourceError | undefined;
  /** Equal for equal names and contents, and for the same error; times of the files do not count. */
  readonly key: string;
  /** No bytes at all: a file gone, or just emptied. Perhaps the first half of a write. */
  readonly blank: boolean;
  /** What is exempt besides, because another source than the config says so. */
  readonly added?: Added;
  /** There is no config. Absent: there is one, or it is not known whether there is. */
  readonly missing?: Missing;
  /** It is not what is there now, but a copy made at this time (ISO 8601). */
  readonly copiedAt?: string;
  /** What there is to say of how it was come by. */
  readonly remarks?: readonly Finding[];
}

/** A place where a config is looked for, and is not. */
export interface Missing {
  /** The path, or `configmap NAMESPACE/NAME`. */
  readonly place: string;
  /** `directory`: it exists, without a config file in it. */
  readonly kind: "file" | "directory" | "configmap";
}

/** Entries that no config lists, and what there is to say of their source. */
export interface Added {
  readonly entries: readonly ExemptEntry[];
  readonly findings: readonly Finding[];
}

/** The snapshot of these sources, or of why there are none. */
export function snapshotOf(found: readonly ConfigSource[] | SourceError): Snapshot {
  if (found instanceof SourceError) return { sources: [], error: found, key: `error ${found.message}`, blank: false };
  const hash = createHash("sha256");
  for (const { file, content } of found) hash.update(`${file}\0${content.byteLength}\0`).update(content);
  return {
    sources: found,
    error: undefined,
    key: hash.digest("hex"),
    blank: found.every(({ content }) => content.byteLength === 0),
  };
}

/** Reads the config's path. Rejects only for what is no matter of the path: a bug of ours. */
export async function takeSnapshot(path: string): Promise<Snapshot> {
  try {
    const sources = await readSources(path);
    return { ...snapshotOf(sources), ...(sources.length === 0 && { missing: { place: path, kind: "file" } }) };
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    const isEmpty = error.finding.code === noConfigFile;
    return { ...snapshotOf(error), ...(isEmpty && { missing: { place: path, kind: "directory" } }) };
  }
}
