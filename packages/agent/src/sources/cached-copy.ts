import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** What was last seen and found good, kept for a restart while its source does not give it. */
export interface Copy {
  /** ISO 8601. */
  readonly savedAt: string;
  /** What was kept; null: there was none. */
  readonly object: unknown;
}

/** What is found where a copy is kept: the copy, why what is there is ignored, or neither where there is no file. */
export interface FoundCopy {
  readonly copy?: Copy;
  readonly ignored?: string;
}

/** One file of `--cache-dir`, under /run: gone with the node's next boot, as the rules are. */
export interface CachedCopy {
  readonly file: string;
  read(): Promise<FoundCopy>;
  /** Whole or not at all, for root alone (mode 0600). Rejects where it cannot be written. */
  write(copy: Copy): Promise<void>;
}

/** `of`: kind and name of the source; a copy of another one, from before a flag was changed, is ignored. */
export function cachedCopy(directory: string, name: string, of: string): CachedCopy {
  const file = join(directory, `${name}.json`);
  let last: Promise<void> = Promise.resolve();

  async function writeNow(copy: Copy): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const next = `${file}.new`;
    // A new file, so that neither a link nor the mode of an old one counts.
    await rm(next, { force: true });
    const handle = await open(next, "wx", 0o600);
    try {
      await handle.writeFile(JSON.stringify({ of, ...copy }));
      // Renamed before its content is on disk, it could be empty after a power failure.
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, file);
  }

  return {
    file,
    async read() {
      let text: string;
      try {
        text = await readFile(file, "utf8");
      } catch (cause) {
        const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
        if (code === "ENOENT" || code === "ENOTDIR") return {};
        return { ignored: `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}` };
      }
      return understood(text, of);
    },
    write(copy) {
      // One after the other: what is accepted last is what stays.
      const writing = last.then(() => writeNow(copy));
      last = writing.catch(() => {});
      return writing;
    },
  };
}

function understood(text: string, of: string): FoundCopy {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ignored: "is damaged: it is not JSON" };
  }
  const { savedAt, object, of: whose } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof savedAt !== "string" || typeof object !== "object" || typeof whose !== "string")
    return { ignored: "is damaged: it does not have the form of a copy" };
  return whose === of ? { copy: { savedAt, object } } : { ignored: `is a copy of ${whose}, not of ${of}` };
}
