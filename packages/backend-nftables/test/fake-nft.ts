import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A program named nft in a folder of its own; gone with `await using`. */
export interface FakeNft extends AsyncDisposable {
  /** For the backend's option: words that put the folder first in PATH. */
  readonly launcher: readonly string[];
}

/** A shell script in nft's place; without one, a PATH that holds no nft. Its `$*` are the arguments. */
export async function fakeNft(script?: string, mode = 0o755): Promise<FakeNft> {
  const folder = await mkdtemp(join(tmpdir(), "fake-nft-"));
  if (script !== undefined) {
    await writeFile(join(folder, "nft"), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, "nft"), mode);
  }
  const path = script === undefined ? folder : `${folder}:${process.env["PATH"] ?? ""}`;
  return {
    launcher: ["/usr/bin/env", `PATH=${path}`],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
