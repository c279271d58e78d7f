import { BackendError, escapeForeign, type FailureReason, type Family, type Operation } from "@ip-masq-agent/core";
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
  readonly timeoutMs: number;
  readonly lockWaitSeconds: number;
  readonly stderr: string;
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

function explain({ tool, stderr, ...run }: FailedRun): readonly [FailureReason, string] {
  const said = lastLine(stderr);
  const says = (pattern: RegExp) => pattern.test(stderr);
  if (run.notFound) return ["tool_missing", `${tool} is not in PATH; install the package iptables`];
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
  if (says(/Permission denied|Operation not permitted|must be root/i)) {
    const capabilities = run.backend === "iptables-legacy" ? "NET_ADMIN and NET_RAW" : "NET_ADMIN";
    return ["permission", `${tool} may not ${run.operation}: ${said}; run as root with ${capabilities}`];
  }
  if (
    says(
      /Table does not exist|can't initialize|do you need to insmod|Could not fetch rule set generation id|Protocol not supported|Couldn't load (?:match|target)|unknown option "--random-fully"|CHAIN_ADD failed \(Operation not supported\)|Extension .* not supported|missing kernel module/i,
    )
  ) {
    return [
      "unsupported",
      `the kernel or ${tool} lacks what is needed: ${said}; it takes the nat table with MASQUERADE, addrtype, comment and statistic`,
    ];
  }
  if (
    says(
      /line \d+ failed|failed at line|Error occurred at line|Bad argument|invalid|RULE_\w+ failed|CHAIN_\w+ failed|Bad rule/i,
    )
  ) {
    return ["rejected", `${tool} refused the rules: ${said}`];
  }
  return ["other", `${tool} failed: ${said || "without a word"}`];
}

/** The tools print usage hints after or before the one line that matters; the first that is no hint says it. */
function lastLine(stderr: string): string {
  const lines = stderr
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^(?:Try `|Error occurred|Perhaps)/.test(line.trim()));
  return escapeForeign(lines[0] ?? "", 300);
}
