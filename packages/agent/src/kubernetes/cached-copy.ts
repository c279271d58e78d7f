import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What was last seen of the API and found good, kept for a restart while the API does not answer. */
export interface Copy {
  /** ISO 8601. */
  readonly savedAt: string;
  /** The object as the API gave it, what is not needed left out; null: there was none. */
  readonly object: unknown;
}

/** One file of `--cache-dir`, under /run: gone with the node's next boot, as the rules are. */
export interface CachedCopy {
  readonly file: string;
  /** Undefined: there is none, or none that can be read as ours. */
  read(): Promise<Copy | undefined>;
  /** Whole or not at all. Rejects where it cannot be written. */
  write(copy: Copy): Promise<void>;
}

export function cachedCopy(directory: string, name: string): CachedCopy {
  const file = join(directory, `${name}.json`);
  return {
    file,
    async read() {
      try {
        const copy: unknown = JSON.parse(await readFile(file, "utf8"));
        if (typeof copy !== "object" || copy === null || !("savedAt" in copy) || !("object" in copy)) return undefined;
        return { savedAt: String(copy.savedAt), object: copy.object };
      } catch {
        return undefined;
      }
    },
    async write(copy) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeFile(`${file}.new`, JSON.stringify(copy), { mode: 0o600 });
      await rename(`${file}.new`, file);
    },
  };
}
