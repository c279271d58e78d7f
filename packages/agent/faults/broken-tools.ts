import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodeUnderTest } from "../test/node-under-test.ts";

/** How a tool fails; `none`: it works. */
export const faults = [
  "refuses",
  "says nothing",
  "crashes",
  "is killed",
  "prints garbage",
  "prints half",
  "succeeds without doing it",
  "succeeds and complains",
  "prints without end",
  "complains without end",
  "leaves a child that prints without end",
  "is slow",
  "is gone",
] as const;
export type Fault = (typeof faults)[number];

/** What a tool is asked to do. */
export const operations = ["read", "write", "listen", "any"] as const;
export type Operation = (typeof operations)[number];

/** Tools that fail on request: real programs, found first in PATH. */
export interface BrokenTools {
  /** Words before the agent's command. */
  readonly prefix: readonly string[];
  /** From the next call of such an operation on. */
  set(fault: Fault | "none", operation: Operation): Promise<void>;
}

const names = [
  "nft",
  ...["iptables", "ip6tables"].flatMap((tables) =>
    ["nft", "legacy"].flatMap((variant) => ["save", "restore"].map((verb) => `${tables}-${variant}-${verb}`)),
  ),
];

/**
 * One script for every tool. It tells the operation by its own name and its arguments, and reads what to do from a file
 * that is replaced by a rename. The loops that print without end stop by themselves after a minute.
 */
const script = (real: string, directory: string) => `#!/bin/bash
real=${real}/\${0##*/}
case "\${0##*/} $*" in
  *monitor*) is=listen ;;
  *-restore*--version*|*-V*|*--check*) is=probe ;;
  *-restore*|*"-f -"*|nft\\ -i) is=write ;;
  *) is=read ;;
esac
read -r of fault < ${directory}/fault
if [ "$of" != any ] && [ "$of" != "$is" ]; then exec $real "$@"; fi
forever() { local until=$((SECONDS + 60)); while [ $SECONDS -lt $until ]; do printf '%065536d\\n' 0 || exit; done; }
case "$fault" in
  none) exec $real "$@" ;;
  refuses) echo "Error: Could not process rule: Device or resource busy" >&2; exit 1 ;;
  "says nothing") exit 1 ;;
  crashes) kill -SEGV $$ ;;
  "is killed") kill -KILL $$ ;;
  "prints garbage") head -c 3000 /dev/urandom; exit 0 ;;
  "prints half") $real "$@" | head -c 200; exit 0 ;;
  "succeeds without doing it") cat >/dev/null </dev/stdin; exit 0 ;;
  "succeeds and complains") echo "Warning: something is odd" >&2; exec $real "$@" ;;
  "prints without end") forever ;;
  "complains without end") forever >&2 ;;
  "leaves a child that prints without end") forever & exit 0 ;;
  "is slow") sleep 1; exec $real "$@" ;;
  "is gone") exit 127 ;;
esac
`;

/** Makes the tools in the node's directory; they work until told otherwise. */
export async function createBrokenTools(node: NodeUnderTest): Promise<BrokenTools> {
  const directory = join(node.directory, "broken");
  const bin = join(directory, "bin");
  await mkdir(bin, { recursive: true });
  const real = (await node.must("sh", "-c", "dirname $(command -v nft)")).trim();
  const set = async (fault: Fault | "none", operation: Operation): Promise<void> => {
    await writeFile(join(directory, "next"), `${operation} ${fault}\n`);
    await rename(join(directory, "next"), join(directory, "fault"));
  };
  await set("none", "any");
  for (const name of names) await writeFile(join(bin, name), script(real, directory), { mode: 0o755 });
  return { prefix: ["env", `PATH=${bin}:${process.env["PATH"] ?? ""}`], set };
}
