import { type Finding, formatFinding } from "@ip-masq-agent/core";
import type { Output } from "../output.ts";
import type { Snapshot } from "../sources/snapshot.ts";

/** Says why a config is not taken, and what follows: nothing more where it is missing, which one line says. */
export function tellRefused(
  { missing }: Snapshot,
  findings: readonly Finding[],
  consequence: string,
  output: Output,
): void {
  for (const finding of findings) output.err(`${finding.severity}: ${formatFinding(finding)}\n`);
  if (missing === undefined) output.err(`${consequence}\n`);
}

/** Warnings of a config that is taken, and one line where no config was called for and there is none. */
export function tellTaken(findings: readonly Finding[], note: string | undefined, output: Output): void {
  for (const finding of findings) output.err(`${finding.severity}: ${formatFinding(finding)}\n`);
  if (note !== undefined) output.err(`note: ${note}\n`);
}
