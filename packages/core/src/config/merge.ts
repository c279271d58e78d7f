import { privateRanges, reservedRanges } from "../address/reserved.ts";
import type { Config, ExemptEntry } from "./config.ts";
import type { FileConfig, Setting } from "./decode.ts";
import { formatDuration } from "./duration.ts";
import type { Finding } from "./finding.ts";
import { defaults } from "./schema.ts";

export interface MergeOptions {
  /** The default CIDRs are all reserved ranges, not the private ones alone. */
  readonly reservedRanges: boolean;
}

/** The file named for entries that no file gave. */
export const defaultsFile = "(default)";

/**
 * Several files → one config, as Azure's ip-masq-agent-v2 merges them: the union of the CIDRs, true where any file says
 * so, the shortest interval. The default CIDRs count only where no file has the key.
 */
export function mergeFiles(files: readonly FileConfig[], options: MergeOptions): Config {
  const lists = files.flatMap((file) => file.nonMasqueradeCIDRs ?? []);
  return {
    nonMasqueradeCIDRs: lists.length > 0 ? lists.flatMap((list) => list.entries) : defaultEntries(options),
    cidrLimit: limitOf(files),
    masqLinkLocal: files.some((file) => file.masqLinkLocal?.value ?? defaults.masqLinkLocal),
    masqLinkLocalIPv6: files.some((file) => file.masqLinkLocalIPv6?.value ?? defaults.masqLinkLocalIPv6),
    resyncIntervalMs: given(files, "resyncIntervalMs").reduce(
      (shortest, { value }) => Math.min(shortest ?? value, value),
      undefined as number | undefined,
    ) ?? defaults.resyncIntervalMs,
  };
}

/** The limit holds for all files together: it is there against mistakes, and the node bears the sum. */
export function limitFindings(files: readonly FileConfig[], options: MergeOptions): readonly Finding[] {
  const withList = files.filter((file) => file.nonMasqueradeCIDRs !== undefined);
  const listed = withList.reduce((sum, file) => sum + (file.nonMasqueradeCIDRs?.listed ?? 0), 0);
  const count = withList.length > 0 ? listed : defaultEntries(options).length;
  const limit = limitOf(files);
  if (count <= limit) return [];
  const largest = withList.toSorted((a, b) => listedIn(b) - listedIn(a))[0];
  const line = largest?.nonMasqueradeCIDRs?.line;
  const where = withList.length > 1 ? ` in ${withList.length} files` : largest === undefined ? " by default" : "";
  return [
    {
      severity: "error",
      code: "cidr-limit",
      file: largest?.file ?? given(files, "cidrLimit")[0]?.file ?? defaultsFile,
      ...(line === undefined ? {} : { line }),
      key: "nonMasqueradeCIDRs",
      value: String(count),
      reason: `${count} CIDRs are listed${where} (link-local not counted), and cidrLimit allows ${limit}`,
      remedy: "raise cidrLimit if they are all meant, or list fewer",
    },
  ];
}

function listedIn(file: FileConfig): number {
  return file.nonMasqueradeCIDRs?.listed ?? 0;
}
