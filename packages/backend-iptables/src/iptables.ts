import type { Family, Operation } from "@ip-masq-agent/core";
import { execa } from "execa";
import { classify } from "./failure.ts";
import { type BackendName, commandPrefix, type Variant } from "./names.ts";

/** How the tools are run. */
export interface IptablesRunner {
  readonly name: BackendName;
  readonly variant: Variant;
  /** Words before every command: `nsenter …` in tests, none in production. */
  readonly launcher: readonly string[];
  readonly timeoutMs: number;
  /** How long a restore waits for the xtables lock, in whole seconds. */
  readonly lockWaitSeconds: number;
}

interface Run {
  readonly tool: string;
  readonly arguments: readonly string[];
  readonly operation: Operation;
  readonly family?: Family;
  readonly input?: string;
  readonly signal: AbortSignal;
}

/** The nat table of a node with 100,000 services stays far below; a tool gone wild must not take the node's memory. */
const maxOutputBytes = 512 * 1024 * 1024;

/** The whole nat table with counters: iptables cannot save less. */
export function runSave(runner: IptablesRunner, family: Family, signal: AbortSignal): Promise<string> {
  const tool = toolName(runner.variant, family, "save");
  return runTool(runner, { tool, arguments: ["-c", "-t", "nat"], operation: "observe", family, signal });
}

/**
 * One transaction. The tool takes the lock itself and waits for it: taking it here and then starting the tool has
 * deadlocked others (antrea#698). The nft variant takes no lock and accepts the flag.
 */
export async function runRestore(
  runner: IptablesRunner,
  operation: Operation,
  family: Family,
  input: string,
  signal: AbortSignal,
): Promise<void> {
  const tool = toolName(runner.variant, family, "restore");
  const wait = ["-w", `${runner.lockWaitSeconds}`];
  await runTool(runner, { tool, arguments: ["--noflush", ...wait], operation, family, input, signal });
}

/** `iptables v1.8.9 (legacy)`; loads no module and touches no table. */
export function runVersion(runner: IptablesRunner, family: Family, signal: AbortSignal): Promise<string> {
  const tool = toolName(runner.variant, family, "restore");
  return runTool(runner, { tool, arguments: ["--version"], operation: "probe", family, signal });
}

/** A file of /proc as the tools would see it; undefined where it does not exist or cannot be read. */
export async function readProc(runner: IptablesRunner, file: string, signal: AbortSignal): Promise<string | undefined> {
  const run = { tool: "cat", arguments: [file], operation: "probe", signal } as const;
  return runTool(runner, run).catch(() => undefined);
}

function toolName(variant: Variant, family: Family, verb: "save" | "restore"): string {
  return `${commandPrefix(family)}-${variant}-${verb}`;
}

async function runTool(runner: IptablesRunner, run: Run): Promise<string> {
  const [file = run.tool, ...before] = [...runner.launcher, run.tool];
  const result = await execa(file, [...before, ...run.arguments], {
    ...(run.input === undefined ? { stdin: "ignore" } : { input: run.input }),
    cancelSignal: run.signal,
    env: { LC_ALL: "C" },
    killSignal: "SIGKILL",
    maxBuffer: maxOutputBytes,
    reject: false,
    stripFinalNewline: false,
    timeout: runner.timeoutMs,
  });
  if (!result.failed) return result.stdout;
  throw classify({
    backend: runner.name,
    tool: run.tool,
    operation: run.operation,
    family: run.family,
    notFound: result.code === "ENOENT" || result.exitCode === 127,
    timedOut: result.timedOut,
    aborted: result.isCanceled,
    timeoutMs: runner.timeoutMs,
    lockWaitSeconds: runner.lockWaitSeconds,
    stderr: result.stderr ?? "",
    cause: result,
  });
}
