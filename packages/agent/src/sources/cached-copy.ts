import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { recordOf } from "./object.ts";

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
  /** Undefined: there is none, none that can be read, or one of another object. */
  read(): Promise<Copy | undefined>;
  /** Whole or not at all. Rejects where it cannot be written. */
  write(copy: Copy): Promise<void>;
}

/** `of`: the object's kind and name; a copy of another one, from before a flag was changed, is none of it. */
export function cachedCopy(directory: string, name: string, of: string): CachedCopy {
  const file = join(directory, `${name}.json`);
  let last: Promise<void> = Promise.resolve();

  async function writeNow(copy: Copy): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, JSON.stringify({ of, ...copy }), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  return {
    file,
    async read() {
      try {
        const copy: unknown = JSON.parse(await readFile(file, "utf8"));
        const { savedAt, object, of: whose } = recordOf(copy);
        if (typeof savedAt !== "string" || typeof object !== "object" || whose !== of) return undefined;
        return { savedAt, object };
      } catch {
        return undefined;
      }
    },
    write(copy) {
      // One after the other: what is accepted last is what stays.
      const writing = last.then(() => writeNow(copy));
      last = writing.catch(() => {});
      return writing;
    },
  };
}
