import { readFile } from "node:fs/promises";
import { describeEnd, runChild } from "@ip-masq-agent/child-process";
import { BackendError, type Family, type Operation } from "@ip-masq-agent/core";
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
  /** Tools without the variant in their names that were found to be of this variant: `iptables-save`. */
  readonly plainTools: Set<string>;
}

interface Run {
  readonly family: Family;
  readonly verb: "save" | "restore";
  readonly arguments: readonly string[];
  readonly operation: Operation;
  readonly input?: string;
  readonly signal: AbortSignal;
}

/**
 * The nat table's 350,000 rules as kube-proxy writes them (some 190 bytes a rule with its counters). iptables cannot save
 * less than the whole table, and its text is held here: see the memory limits in docs/operating.md.
 */
const mostOutputBytes = 64 * 1024 * 1024;

/** The whole nat table with counters: iptables cannot save less. */
export function runSave(runner: IptablesRunner, family: Family, signal: AbortSignal): Promise<string> {
  return runTool(runner, { family, verb: "save", arguments: ["-c", "-t", "nat"], operation: "observe", signal });
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
  const words = ["--noflush", "-w", `${runner.lockWaitSeconds}`];
  await runTool(runner, { family, verb: "restore", arguments: words, operation, input, signal });
}

/** `iptables v1.8.9 (legacy)`; loads no module and touches no table. */
export function runVersion(runner: IptablesRunner, signal: AbortSignal): Promise<string> {
  return runTool(runner, { family: "IPv4", verb: "restore", arguments: ["--version"], operation: "probe", signal });
}

/** The variant that `--version` names. Before 1.8 the one there was is legacy and says nothing of it. */
export function variantOf(version: string): Variant {
  return version.includes("(nf_tables)") ? "nft" : "legacy";
}

/** A file of /proc as the tools would see it; undefined where it does not exist. */
export async function readProc(runner: IptablesRunner, file: string, signal: AbortSignal): Promise<string | undefined> {
  if (runner.launcher.length > 0) {
    const run = { operation: "probe", arguments: [file], signal } as const;
    return runProgram(runner, "cat", run).catch((error: unknown) => {
      if (error instanceof BackendError && error.stderr.includes("No such file")) return undefined;
      throw error;
    });
  }
  try {
    return await readFile(file, { encoding: "utf8", signal });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const message = `${file} cannot be read (${code}); run as root`;
    const why = { reason: "permission", operation: "probe", message } as const;
    throw new BackendError({ ...why, backend: runner.name, cause });
  }
}

/**
 * Runs the tool that has the variant in its name. Where a distribution has none of that name (iptables before 1.8 has
 * not, nor have some images), the one without does if it says that it is of this variant.
 */
async function runTool(runner: IptablesRunner, run: Run): Promise<string> {
  const plain = `${commandPrefix(run.family)}-${run.verb}`;
  if (!runner.plainTools.has(plain)) {
    try {
      return await runProgram(runner, `${commandPrefix(run.family)}-${runner.variant}-${run.verb}`, run);
    } catch (missing) {
      if (!(missing instanceof BackendError) || missing.reason !== "tool_missing") throw missing;
      const { operation, family, signal } = run;
      const asking = { operation, family, signal, arguments: ["--version"] };
      const version = await runProgram(runner, plain, asking).catch(() => undefined);
      if (version === undefined || variantOf(version) !== runner.variant) throw missing;
    }
    runner.plainTools.add(plain);
  }
  return runProgram(runner, plain, run);
}

async function runProgram(
  runner: IptablesRunner,
  tool: string,
  run: Omit<Run, "family" | "verb"> & { readonly family?: Family },
): Promise<string> {
  const [file = tool, ...before] = [...runner.launcher, tool];
  const { input, signal } = run;
  const { timeoutMs } = runner;
  const result = await runChild(file, [...before, ...run.arguments], { input, signal, timeoutMs, mostOutputBytes });
  const { end, stdout, stderr } = result;
  const exitCode = end.how === "exited" ? end.exitCode : undefined;
  if (exitCode === 0) return stdout;
  throw classify({
    backend: runner.name,
    tool,
    operation: run.operation,
    family: run.family,
    notFound: exitCode === 127 || (end.how === "not-started" && end.code === "ENOENT"),
    timedOut: end.how === "timed-out",
    aborted: end.how === "aborted",
    tooMuchOutput: end.how === "too-much-output",
    timeoutMs,
    lockWaitSeconds: runner.lockWaitSeconds,
    input: input ?? "",
    stderr,
    ending: describeEnd(end),
    cause: end.how === "not-started" ? end.cause : undefined,
  });
}
