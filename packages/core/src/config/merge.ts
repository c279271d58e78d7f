import { privateRanges, reservedRanges } from "../address/reserved.ts";
import type { Config, ExemptEntry } from "./config.ts";
import type { FileConfig, Setting } from "./decode.ts";
import { formatDuration } from "./duration.ts";
import type { Finding } from "./finding.ts";
import { configLimits } from "./limits.ts";
import { type ConfigKey, defaults } from "./schema.ts";

export interface MergeOptions {
  /** The default CIDRs are all reserved ranges, not the private ones alone. */
  readonly reservedRanges: boolean;
  /** Milliseconds between resyncs where no file says; absent: 60 s. */
  readonly resyncIntervalMs?: number | undefined;
}

/** The file named for entries that no file gave. */
export const defaultsFile = "(default)";

interface PlacedSetting<T> extends Setting<T> {
  readonly file: string;
}

/** How the values that several files give one key become one. */
interface ScalarRule<T> {
  readonly key: ConfigKey;
  /** The winner, in words. */
  readonly winner: string;
  of(file: FileConfig): Setting<T> | undefined;
  beats(value: T, other: T): boolean;
  format(value: T): string;
}

const cidrLimit: ScalarRule<number> = {
  key: "cidrLimit",
  winner: "the largest",
  of: (file) => file.cidrLimit,
  beats: (value, other) => value > other,
  format: String,
};
const masqLinkLocal: ScalarRule<boolean> = {
  key: "masqLinkLocal",
  winner: "one that says true",
  of: (file) => file.masqLinkLocal,
  beats: (value, other) => value && !other,
  format: String,
};
const masqLinkLocalIPv6: ScalarRule<boolean> = {
  ...masqLinkLocal,
  key: "masqLinkLocalIPv6",
  of: (file) => file.masqLinkLocalIPv6,
};
const resyncInterval: ScalarRule<number> = {
  key: "resyncInterval",
  winner: "the shortest",
  of: (file) => file.resyncIntervalMs,
  beats: (value, other) => value < other,
  format: formatDuration,
};

/**
 * Several files → one config, as Azure's ip-masq-agent-v2 merges them: the union of the CIDRs, true where any file says
 * so, the shortest interval; and the largest limit. The default CIDRs count only where no file has the key.
 */
export function mergeFiles(files: readonly FileConfig[], options: MergeOptions): Config {
  const lists = files.flatMap((file) => file.nonMasqueradeCIDRs ?? []);
  return {
    nonMasqueradeCIDRs: lists.length === 0 ? defaultEntries(options) : lists.flatMap((list) => list.entries),
    cidrLimit: winnerOf(files, cidrLimit)?.value ?? defaults.cidrLimit,
    masqLinkLocal: winnerOf(files, masqLinkLocal)?.value ?? defaults.masqLinkLocal,
    masqLinkLocalIPv6: winnerOf(files, masqLinkLocalIPv6)?.value ?? defaults.masqLinkLocalIPv6,
    resyncIntervalMs: winnerOf(files, resyncInterval)?.value ?? options.resyncIntervalMs ?? defaults.resyncIntervalMs,
  };
}

/** Where files contradict each other in a scalar: a warning for each file that does not have its way. */
export function contradictions(files: readonly FileConfig[]): readonly Finding[] {
  return [
    ...lost(files, cidrLimit),
    ...lost(files, masqLinkLocal),
    ...lost(files, masqLinkLocalIPv6),
    ...lost(files, resyncInterval),
  ];
}

/** Too many CIDRs, counted as listed, before anything is merged, and over all files: the node bears the sum. */
export function limitFindings(files: readonly FileConfig[], options: MergeOptions): readonly Finding[] {
  const limit = winnerOf(files, cidrLimit);
  const allowed = limit?.value ?? defaults.cidrLimit;
  const lists = files.flatMap(({ file, nonMasqueradeCIDRs: list }) => (list === undefined ? [] : [{ file, ...list }]));
  const count = lists.length === 0 ? defaultEntries(options).length : lists.reduce((sum, list) => sum + list.listed, 0);
  if (count <= Math.min(allowed, configLimits.entries)) return [];
  // The file that lists most is the first to look at.
  const place = lists.toSorted((a, b) => b.listed - a.listed)[0] ?? limit;
  const subject = lists.length === 0 ? "the default list has" : lists.length === 1 ? "the list has" : "the lists have";
  const list = {
    severity: "error",
    file: place?.file ?? defaultsFile,
    ...(place === undefined ? {} : { line: place.line }),
    key: "nonMasqueradeCIDRs",
    value: String(count),
  } as const;
  if (count > configLimits.entries) {
    return [
      {
        ...list,
        code: "cidr-maximum",
        reason: `${subject} ${count} CIDRs, and at most ${configLimits.entries} are supported, whatever cidrLimit allows`,
        remedy: "join neighbouring CIDRs into larger ones",
      },
    ];
  }
  return [
    {
      ...list,
      code: "cidr-limit",
      reason: `${subject} ${count} CIDRs (link-local not counted), and cidrLimit allows ${allowed}`,
      remedy: "raise cidrLimit if all of them are meant, or list fewer",
    },
  ];
}

function defaultEntries(options: MergeOptions): readonly ExemptEntry[] {
  const ranges = options.reservedRanges ? [...privateRanges, ...reservedRanges] : privateRanges;
  return ranges.map(({ prefix }) => ({ prefix, file: defaultsFile }));
}

/** The setting that counts, the first of equals; undefined where no file has the key. */
function winnerOf<T>(files: readonly FileConfig[], rule: ScalarRule<T>): PlacedSetting<T> | undefined {
  let winner: PlacedSetting<T> | undefined;
  for (const file of files) {
    const setting = rule.of(file);
    if (setting === undefined || (winner !== undefined && !rule.beats(setting.value, winner.value))) continue;
    winner = { ...setting, file: file.file };
  }
  return winner;
}

function lost<T>(files: readonly FileConfig[], rule: ScalarRule<T>): readonly Finding[] {
  const winner = winnerOf(files, rule);
  if (winner === undefined) return [];
  return files.flatMap((file): readonly Finding[] => {
    const setting = rule.of(file);
    if (setting === undefined || setting.value === winner.value) return [];
    const said = rule.format(winner.value);
    return [
      {
        severity: "warning",
        code: "files-differ",
        file: file.file,
        line: setting.line,
        key: rule.key,
        value: rule.format(setting.value),
        reason: `differs from ${winner.file}:${winner.line}, which says ${said}; of several files, ${rule.winner} counts`,
        remedy: "say the same in all files, or say it in one alone",
      },
    ];
  });
}
