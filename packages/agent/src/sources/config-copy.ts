import { Buffer } from "node:buffer";
import { resolve } from "node:path";
import type { Clock, ConfigSource, Finding } from "@ip-masq-agent/core";
import { type CachedCopy, cachedCopy } from "./cached-copy.ts";
import { type Snapshot, snapshotOf } from "./snapshot.ts";

/** The copy of the config's files that `--missing-config=keep` uses after a restart. */
export interface ConfigCopy {
  readonly file: string;
  /** The files as they were found good last; or why the copy that is there is ignored; neither: there is no copy. */
  read(): Promise<{ readonly snapshot?: Snapshot; readonly ignored?: string }>;
  write(snapshot: Snapshot): Promise<void>;
}

/** `path`: where the config is looked for; a copy of another path is ignored. */
export function configCopy(directory: string, path: string, clock: Pick<Clock, "wall">): ConfigCopy {
  const copy: CachedCopy = cachedCopy(directory, "config", `config ${resolve(path)}`);
  return {
    file: copy.file,
    async read() {
      const { copy: kept, ignored } = await copy.read();
      if (kept === undefined) return ignored === undefined ? {} : { ignored };
      const sources = sourcesIn(kept.object);
      if (sources === undefined) return { ignored: "is damaged: it holds no config files" };
      return { snapshot: { ...snapshotOf(sources), copiedAt: kept.savedAt } };
    },
    write: ({ sources }) =>
      copy.write({
        savedAt: new Date(clock.wall()).toISOString(),
        object: {
          files: sources.map(({ file, content }) => ({ file, content: Buffer.from(content).toString("base64") })),
        },
      }),
  };
}

/** The finding that says why a copy is not used. */
export function ignoredCopy(file: string, why: string): Finding {
  return {
    ...{ severity: "warning", code: "copy-ignored", file },
    reason: `${why}, so it is not used`,
    remedy: "remove it; a new one is written when a config is found good",
  };
}

function sourcesIn(object: unknown): readonly ConfigSource[] | undefined {
  const { files } = (object ?? {}) as { readonly files?: unknown };
  if (!Array.isArray(files) || files.length === 0) return undefined;
  const sources = files.flatMap((one: unknown): readonly ConfigSource[] => {
    const { file, content } = (one ?? {}) as Readonly<Record<string, unknown>>;
    return typeof file === "string" && typeof content === "string"
      ? [{ file, content: Buffer.from(content, "base64") }]
      : [];
  });
  return sources.length === files.length ? sources : undefined;
}
