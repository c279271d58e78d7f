import { BackendError, escapeForeign, type FailureReason, type Family, type Operation } from "@ip-masq-agent/core";
import { backendName } from "./names.ts";

/** How a run of nft ended badly. */
export interface FailedRun {
  readonly operation: Operation;
  readonly family?: Family | undefined;
  /** The program was not found (ENOENT from spawn, 127 from a launcher). */
  readonly notFound: boolean;
  readonly timedOut: boolean;
  readonly aborted: boolean;
  readonly timeoutMs: number;
  readonly stderr: string;
  readonly cause: unknown;
}

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
  const said = firstLine(run.stderr);
  if (run.notFound) return ["tool_missing", "nft is not in PATH; install the package nftables"];
  if (run.aborted) return ["other", `nft ${run.operation} was ended because the agent stops`];
  if (run.timedOut) return ["timeout", `nft ${run.operation} was ended after ${run.timeoutMs} ms without a result`];
  if (/JSON support not compiled/i.test(run.stderr)) {
    return ["unsupported", "this nft was built without JSON; install one that `nft -V` shows with json: yes"];
  }
  if (/Operation not permitted|Permission denied|must be root/i.test(run.stderr)) {
    return ["permission", `nft may not ${run.operation}: ${said}; run as root with the capability NET_ADMIN`];
  }
  if (
    /Operation not supported|Protocol not supported|cache initialization failed|Unable to initialize Netlink|Address family not supported/i.test(
      run.stderr,
    )
  ) {
    return [
      "unsupported",
      `the kernel lacks what nftables NAT needs: ${said}; it takes nf_tables with nat and masquerade, 5.2 or newer`,
    ];
  }
  if (/Error: /.test(run.stderr)) return ["rejected", `nft refused to ${run.operation}: ${said}`];
  return ["other", `nft ${run.operation} failed: ${said || "without a word"}`];
}

function firstLine(text: string): string {
  return escapeForeign(text.split("\n").find((line) => line.trim() !== "") ?? "", 300);
}
