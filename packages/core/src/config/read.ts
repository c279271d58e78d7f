import { FindingCollector, type Report } from "./collect.ts";
import type { Config } from "./config.ts";
import { type DecodeOptions, decodeFile, type FileConfig } from "./decode.ts";
import { type ConfigSource, parseDocument } from "./document.ts";
import { type Finding, hasErrors } from "./finding.ts";
import { configLimits, sizeFinding } from "./limits.ts";
import { contradictions, limitFindings, type MergeOptions, mergeFiles } from "./merge.ts";
import { findKey } from "./schema.ts";
import { warningsOf } from "./warnings.ts";

export type ReadOptions = DecodeOptions & MergeOptions;

export interface ConfigResult {
  /** Absent where any finding is an error: half a config never takes the place of the last good one. */
  readonly config: Config | undefined;
  /** In the order of the files, then what concerns them together. */
  readonly findings: readonly Finding[];
}

/** Config files, as bytes → what they mean together. No file at all means the defaults. Pure; bad input never throws. */
export function readConfig(sources: readonly ConfigSource[], options: ReadOptions): ConfigResult {
  const tooMuch = sizeFinding(sources);
  if (tooMuch !== undefined) return { config: undefined, findings: [tooMuch] };
  const collector = new FindingCollector();
  const report: Report = (finding) => collector.add(finding);
  const files: FileConfig[] = [];
  const marks = { left: configLimits.marks };
  for (const source of sources) {
    const root = parseDocument(source, report, marks);
    if (root !== undefined) files.push(decodeFile(source.file, root, options, report));
  }
  // Without knowing every list and every limit, to call the list too long would be a guess.
  if (files.length === sources.length && !collector.findings().some(isAboutLimit)) {
    for (const finding of limitFindings(files, options)) report(finding);
  }
  if (hasErrors(collector.findings())) return { config: undefined, findings: collector.findings() };
  const config = mergeFiles(files, options);
  for (const finding of contradictions(files)) report(finding);
  for (const finding of warningsOf(config, files)) report(finding);
  return { config, findings: collector.findings() };
}

function isAboutLimit({ severity, key }: Finding): boolean {
  return severity === "error" && key !== undefined && findKey(key) === "cidrLimit";
}
