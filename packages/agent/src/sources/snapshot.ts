import { createHash } from "node:crypto";
import type { ConfigSource } from "@ip-masq-agent/core";
import { readSources, SourceError } from "./read.ts";

/** What was at the config's path at one moment: the files, or why they could not be read. */
export interface Snapshot {
  readonly sources: readonly ConfigSource[];
  readonly error: SourceError | undefined;
  /** Equal for equal names and contents, and for the same error; times of the files do not count. */
  readonly key: string;
  /** No bytes at all: a file gone, or just emptied. Perhaps the first half of a write. */
  readonly blank: boolean;
}

/** Reads the config's path. Rejects only for what is no matter of the path: a bug of ours. */
export async function takeSnapshot(path: string): Promise<Snapshot> {
  try {
    const sources = await readSources(path);
    const hash = createHash("sha256");
    for (const { file, content } of sources) hash.update(`${file}\0${content.byteLength}\0`).update(content);
    return {
      sources,
      error: undefined,
      key: hash.digest("hex"),
      blank: sources.every(({ content }) => content.byteLength === 0),
    };
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    return { sources: [], error, key: `error ${error.message}`, blank: false };
  }
}
