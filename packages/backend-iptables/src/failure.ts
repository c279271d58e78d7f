import {
  BackendError,
  escapeForeign,
  type FailureReason,
  type Family,
  type Operation,
  shortageOf,
} from "@ip-masq-agent/core";
import type { BackendName } from "./names.ts";

/** How a run of an iptables tool ended badly. */
export interface FailedRun {
  readonly backend: BackendName;
  /** The program's name. */
  readonly tool: string;
  readonly operation: Operation;
  readonly family?: Family | undefined;
  /** The program was not found (ENOENT from spawn, 127 from a launcher). */
  readonly notFound: boolean;
  readonly timedOut: boolean;
  readonly aborted: boolean;
  /** Ended because it wrote more than it ever should; `ending` says how much. */
  readonly tooMuchOutput?: boolean;
  readonly timeoutMs: number;
  readonly lockWaitSeconds: number;
  /** What the tool was given on stdin. */
  readonly input: string;
  readonly stderr: string;
  /** How the process ended, for those that say nothing: a signal, an exit code, why it could not be started. */
  readonly ending: string;
  readonly cause: unknown;
}

/** The one place where the tools' words become a reason. Most specific first. */
export function classify(run: FailedRun): BackendError {
  const [reason, message] = explain(run);
  return new BackendError({
    reason,
    message,
    backend: run.backend,
    operation: run.operation,
    family: run.family,
    stderr: escapeForeign(run.stderr),
    cause: run.cause,
  });
}

function explain({ tool, ...run }: FailedRun): readonly [FailureReason, string] {
  const said = complaint(run.stderr) || run.ending;
  const says = (pattern: RegExp) => pattern.test(`${run.stderr}\n${run.ending}`);
  const capabilities = run.backend === "iptables-legacy" ? "NET_ADMIN and NET_RAW" : "NET_ADMIN";
  if (says(/error while loading shared libraries/)) {
    return ["tool_missing", `${tool} cannot be started: ${said}; install the package iptables with all that it needs`];
  }
  if (run.tooMuchOutput) {
    const remedy = `check that the ${tool} in PATH is iptables' own, and how many rules this node's nat table has`;
    return ["other", `${tool} was ended because it wrote ${run.ending}; ${remedy}`];
  }
  if (run.notFound) return ["tool_missing", `${tool} is not in PATH; install the package iptables`];
  const short = shortageOf(`${run.stderr}\n${run.ending}`);
  if (short !== undefined) return ["other", `${tool} cannot be started: ${short}`];
  if (run.aborted) return ["other", `${tool} was ended because the agent stops`];
  if (says(/holding the xtables lock/i)) {
    return [
      "lock",
      `another program holds the xtables lock, and did not release it within ${run.lockWaitSeconds} s; find it with: fuser -v /run/xtables.lock`,
    ];
  }
  if (says(/can't open lock file|Could not open lock file/i)) {
    return [
      "permission",
      `${tool} cannot open /run/xtables.lock: ${said}; mount the host's /run/xtables.lock writable`,
    ];
  }
  if (run.timedOut) return ["timeout", `${tool} was ended after ${run.timeoutMs} ms without a result`];
  if (says(/Permission denied|Operation not permitted|must be root|EACCES/i)) {
    return ["permission", `${tool} may not ${run.operation}: ${said}; run as root with ${capabilities}`];
  }
  // A legacy restore says no more than this, whether the kernel has no nat table or the process no right to see it.
  if (says(/unable to initialize table/i)) {
    return ["unsupported", `${tool}: ${said}; the kernel has no iptable_nat, or the agent has not ${capabilities}`];
  }
  if (
    says(
      /Table does not exist|can't initialize|do you need to insmod|Could not fetch rule set generation id|Protocol not supported|Couldn't load (?:match|target `MASQUERADE')|unknown option "--random-fully"|(?:CHAIN|TABLE|RULE)_\w+ failed \(Operation not supported\)|Extension .* not supported|missing kernel module/i,
    )
  ) {
    return [
      "unsupported",
      `the kernel or ${tool} lacks what is needed: ${said}; it takes the nat table with MASQUERADE, addrtype, comment and statistic`,
    ];
  }
  if (says(/line:? \d+|Bad argument|Bad rule|(?:RULE|CHAIN)_\w+ failed/i)) {
    return ["rejected", `${tool} refused the rules: ${said}${refusedLine(run)}`];
  }
  return ["other", `${tool} failed: ${said}`];
}

/** What went wrong, without the tool's name and version before it, or hints and warnings around it. */
function complaint(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.replace(/^\S+ v\d\S* \([^)]*\): ?/, "").trim())
    .filter((line) => line !== "" && !/^(?:#|Try `|Error occurred|Perhaps)/.test(line));
  return escapeForeign(lines[0] ?? "", 300);
}

/** The line of the transaction that the tool names; for what fails at the end, legacy names the line COMMIT. */
function refusedLine({ stderr, input }: Pick<FailedRun, "stderr" | "input">): string {
  const number = /line:? (\d+)/.exec(stderr)?.[1];
  const line = number === undefined ? undefined : input.split("\n")[Number(number) - 1];
  return line ? ` (line ${number}: ${escapeForeign(line, 200)})` : "";
}
