import {
  BackendError,
  escapeForeign,
  type FailureReason,
  type Family,
  type Operation,
  shortageOf,
} from "@ip-masq-agent/core";
import { backendName } from "./names.ts";

/** How a run of nft ended badly. */
export interface FailedRun {
  readonly operation: Operation;
  readonly family?: Family | undefined;
  /** Through the process that holds our tables. */
  readonly held?: boolean;
  /** The program was not found (ENOENT from spawn, 127 from a launcher). */
  readonly notFound: boolean;
  /** Ended by a fault of its own, such as a segmentation fault. */
  readonly crashed: boolean;
  readonly timedOut: boolean;
  readonly aborted: boolean;
  /** Ended because it wrote more than it ever should; `ending` says how much. */
  readonly tooMuchOutput?: boolean;
  readonly timeoutMs: number;
  readonly stderr: string;
  /** How the process ended, for those that say nothing: a signal, an exit code, why it could not be started. */
  readonly ending: string;
  readonly cause: unknown;
}

/** nft's words for a table that is not there; anchored, because a missing library's message ends in the same words. */
export const absentTable: RegExp = /^Error: (?:Could not process rule: )?No such file or directory/;

/** The one place where nft's words become a reason. Most specific first. */
export function classify(run: FailedRun): BackendError {
  const [reason, message] = explain(run);
  return new BackendError({
    reason,
    message,
    backend: backendName,
    operation: run.operation,
    family: run.family,
    stderr: escapeForeign(run.stderr),
    cause: run.cause,
  });
}

function explain(run: FailedRun): readonly [FailureReason, string] {
  const said = firstLine(run.stderr) || run.ending;
  const says = (pattern: RegExp) => pattern.test(`${run.stderr}\n${run.ending}`);
  if (says(/error while loading shared libraries/)) {
    return ["tool_missing", `nft cannot be started: ${said}; install the package nftables with all that it needs`];
  }
  if (run.notFound) return ["tool_missing", "nft is not in PATH; install the package nftables"];
  const short = shortageOf(`${run.stderr}\n${run.ending}`);
  if (short !== undefined) return ["other", `nft cannot be started: ${short}`];
  if (run.aborted) return ["other", `nft ${run.operation} was ended because the agent stops`];
  if (run.timedOut) return ["timeout", `nft ${run.operation} was ended after ${run.timeoutMs} ms without a result`];
  if (run.tooMuchOutput) {
    const remedy = "check that the nft in PATH is nftables' own, and what else writes into tables named ip-masq-agent";
    return ["other", `nft ${run.operation} was ended because it wrote ${run.ending}; ${remedy}`];
  }
  if (run.crashed) {
    return [
      "other",
      `nft ${run.operation} crashed (${run.ending}), as old versions do where a newer nft has written tables (kubernetes#136786); install an nft as new as the newest on this node`,
    ];
  }
  if (says(/JSON support not compiled/i)) {
    return ["unsupported", "this nft was built without JSON; install one that `nft -V` shows with json: yes"];
  }
  if (says(/Operation not permitted|Permission denied|must be root|EACCES/i)) {
    // A process may write no table that another one owns, be it root.
    const remedy = run.held
      ? "the table belongs to another process; stop the other agent that runs on this node with --protect-rules"
      : "run as root with the capability NET_ADMIN, and stop any other agent on this node that runs with --protect-rules";
    return ["permission", `nft may not ${run.operation}: ${said}; ${remedy}`];
  }
  if (
    says(
      /Operation not supported|Protocol not supported|cache initialization failed|Unable to initialize Netlink|Address family not supported/i,
    )
  ) {
    return [
      "unsupported",
      `the kernel lacks what nftables NAT needs: ${said}; it takes nf_tables with nat and masquerade, 5.2 or newer`,
    ];
  }
  if (says(/Error: /)) return ["rejected", `nft refused to ${run.operation}: ${said}`];
  return ["other", `nft ${run.operation} failed: ${said}`];
}

function firstLine(text: string): string {
  return escapeForeign(text.split("\n").find((line) => line.trim() !== "") ?? "", 300);
}
