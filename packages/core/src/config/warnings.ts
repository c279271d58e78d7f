import { type Family, families, lastAddress } from "../address/family.ts";
import { formatPrefix, lastOf } from "../address/prefix.ts";
import { linkLocal } from "../address/reserved.ts";
import { mostListed } from "./collect.ts";
import type { Config, ExemptEntry } from "./config.ts";
import type { FileConfig } from "./decode.ts";
import type { Finding } from "./finding.ts";

/** What is valid and looks wrong in a config; the files it was merged from say where. O(n log n) in its CIDRs. */
export function warningsOf(config: Config, files: readonly FileConfig[]): readonly Finding[] {
  return [...emptyList(config, files), ...families.flatMap((family) => familyWarnings(family, config, files))];
}

function emptyList(config: Config, files: readonly FileConfig[]): readonly Finding[] {
  const file = files.find(({ nonMasqueradeCIDRs }) => nonMasqueradeCIDRs !== undefined);
  if (file?.nonMasqueradeCIDRs === undefined || config.nonMasqueradeCIDRs.length > 0) return [];
  return [
    {
      severity: "warning",
      code: "empty-list",
      file: file.file,
      line: file.nonMasqueradeCIDRs.line,
      key: "nonMasqueradeCIDRs",
      reason: "is empty: traffic between pods is masqueraded too, and its senders are hidden behind their nodes",
      remedy: "remove the key for the default ranges, if this is not meant",
    },
  ];
}

function familyWarnings(family: Family, config: Config, files: readonly FileConfig[]): readonly Finding[] {
  // By address and then by size: what holds a prefix comes before it. Stable, so the first of equals stays the first.
  const sorted = config.nonMasqueradeCIDRs
    .filter(({ prefix }) => prefix.family === family)
    .sort((a, b) =>
      a.prefix.first < b.prefix.first ? -1 : a.prefix.first > b.prefix.first ? 1 : a.prefix.length - b.prefix.length,
    );
  return [...everything(family, sorted), ...linkLocalExempt(family, sorted, config, files), ...overlaps(sorted)];
}

/** An exempt 0.0.0.0/0 cut every pod of a customer off the internet; two halves of it do the same. */
function everything(family: Family, sorted: readonly ExemptEntry[]): readonly Finding[] {
  let covered = -1n;
  for (const { prefix } of sorted) {
    if (prefix.first > covered + 1n) return [];
    if (lastOf(prefix) > covered) covered = lastOf(prefix);
  }
  const [entry] = sorted;
  if (entry === undefined || covered < lastAddress(family)) return [];
  return [
    warning(entry, {
      code: "exempt-everything",
      reason:
        entry.prefix.length === 0
          ? `exempts every ${family} address: nothing is masqueraded, and pods without public addresses lose the internet`
          : `and the other CIDRs exempt every ${family} address together: pods without public addresses lose the internet`,
      remedy: "list only the networks that have a route back to the pods",
    }),
  ];
}

/** The list wins over `masqLinkLocal`, whichever file either is in. */
function linkLocalExempt(
  family: Family,
  sorted: readonly ExemptEntry[],
  config: Config,
  files: readonly FileConfig[],
): readonly Finding[] {
  const key = family === "IPv4" ? "masqLinkLocal" : "masqLinkLocalIPv6";
  if (!config[key]) return [];
  const range = linkLocal[family];
  const source = files.find((file) => file[key]?.value);
  return sorted
    .filter(({ prefix }) => prefix.first <= lastOf(range) && lastOf(prefix) >= range.first)
    .map((entry) =>
      warning(entry, {
        code: "link-local-exempt",
        reason: `exempts link-local addresses (${formatPrefix(range)}), although ${key} is true (${place(source?.file, source?.[key]?.line)})`,
        remedy: `remove it, or remove ${key}`,
      }),
    );
}

function overlaps(sorted: readonly ExemptEntry[]): readonly Finding[] {
  const findings: Finding[] = [];
  let outer: ExemptEntry | undefined;
  for (const entry of sorted) {
    if (outer === undefined || entry.prefix.first > lastOf(outer.prefix)) {
      outer = entry;
      continue;
    }
    // From here on they are counted, not listed: to say the same of 50,000 entries would take long.
    if (findings.length >= mostListed) {
      findings.push(findings[mostListed - 1] as Finding);
      continue;
    }
    const same = entry.prefix.length === outer.prefix.length;
    const covering = `${formatPrefix(outer.prefix)} (${place(outer.file, outer.line)})`;
    findings.push(
      warning(entry, {
        code: same ? "cidr-duplicate" : "cidr-overlap",
        reason: same ? `is listed twice (${place(outer.file, outer.line)})` : `is already covered by ${covering}`,
        remedy: "remove one of the two; the rules are the same without it",
      }),
    );
  }
  return findings;
}

function warning(entry: ExemptEntry, what: Pick<Finding, "code" | "reason" | "remedy">): Finding {
  return {
    severity: "warning",
    file: entry.file,
    ...(entry.line === undefined ? {} : { line: entry.line }),
    key: "nonMasqueradeCIDRs",
    value: formatPrefix(entry.prefix),
    ...what,
  };
}

function place(file: string | undefined, line: number | undefined): string {
  return `${file ?? "the default"}${line === undefined ? "" : `:${line}`}`;
}
