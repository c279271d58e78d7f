import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Programs in a folder of their own; gone with `await using`. */
export interface FakeTools extends AsyncDisposable {
  /** For the backend's option: words that put the folder first in PATH. */
  readonly launcher: readonly string[];
}

/** Shell scripts by program name, `iptables-nft-save` or `cat`. PATH holds nothing else: a script has only its shell. */
export async function fakeTools(scripts: Readonly<Record<string, string>>): Promise<FakeTools> {
  const folder = await mkdtemp(join(tmpdir(), "fake-iptables-"));
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
  return {
    launcher: ["/usr/bin/env", `PATH=${folder}`],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** The same script as every tool of a variant. */
export async function fakeVariant(variant: "nft" | "legacy", script?: string): Promise<FakeTools> {
  const names = ["iptables", "ip6tables"].flatMap((tool) => [`${tool}-${variant}-save`, `${tool}-${variant}-restore`]);
  return fakeTools(Object.fromEntries(script === undefined ? [] : names.map((name) => [name, script])));
}
