import { readdir, readFile, readlink } from "node:fs/promises";
import type { Family } from "@ip-masq-agent/core";
import type { Options } from "../flags/flag.ts";
import type { ProcessView } from "../kernel/agent-processes.ts";
import type { Sighting } from "../kernel/now.ts";
import type { Answered } from "../kernel/tool.ts";
import { type Diagnosis, note } from "./diagnosis.ts";

/** What a check may look at; handed in, so that a test can make up a node. */
export interface Node extends ProcessView {
  readonly options: Options;
  /** Families that are on. */
  readonly families: readonly Family[];
  ask(tool: string, words: readonly string[]): Promise<Answered>;
  /** Rules of ours, of any backend. */
  sightings(): Promise<readonly Sighting[]>;
  readonly signal: AbortSignal;
}

export interface Check {
  readonly name: string;
  look(node: Node): Promise<readonly Diagnosis[]>;
}

/** Runs all checks beside each other; one that fails says so and spoils no other. Order is the checks'. */
export async function examine(node: Node, checks: readonly Check[]): Promise<readonly Diagnosis[]> {
  const results = checks.map(({ name, look }) =>
    look(node).catch((cause: unknown) => [
      note("info", name, `could not be checked: ${cause instanceof Error ? cause.message : String(cause)}`),
    ]),
  );
  return (await Promise.all(results)).flat();
}

/** Reads as this process sees the files. */
export async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}

export async function listIfThere(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}

export async function networkNamespaceOf(pid: string): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/net`).catch(() => undefined);
}
