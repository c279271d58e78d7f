import { readdir, readFile, readlink } from "node:fs/promises";
import type { Family } from "@ip-masq-agent/core";
import type { Options } from "../flags/flag.ts";
import type { Sighting } from "../kernel/now.ts";
import type { Answered } from "../kernel/tool.ts";
import { type Diagnosis, note } from "./diagnosis.ts";

/** What a check may look at; handed in, so that a test can make up a node. */
export interface Node {
  readonly options: Options;
  /** Families that are on. */
  readonly families: readonly Family[];
  /** The file's text; undefined where there is none, or none that may be read. */
  read(file: string): Promise<string | undefined>;
  /** Names in a directory; none where there is none. */
  list(directory: string): Promise<readonly string[]>;
  /** The network namespace of a process, as a text that is equal for equal ones; undefined: it cannot be seen. */
  namespaceOf(pid: string): Promise<string | undefined>;
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
