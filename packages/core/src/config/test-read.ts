import { formatPrefix } from "../address/prefix.ts";
import { formatFinding } from "./finding.ts";
import { type ConfigResult, type ReadOptions, readConfig } from "./read.ts";

export const usual: ReadOptions = { reservedRanges: false, strict: false, enableIPv6: true };

export function read(text: string, options: Partial<ReadOptions> = {}): ConfigResult {
  return readAll({ "ip-masq-agent": text }, options);
}

export function readAll(files: Readonly<Record<string, string>>, options: Partial<ReadOptions> = {}): ConfigResult {
  const sources = Object.entries(files).map(([file, text]) => ({ file, content: new TextEncoder().encode(text) }));
  return readConfig(sources, { ...usual, ...options });
}

export function messages(result: ConfigResult): readonly string[] {
  return result.findings.map((finding) => `${finding.severity} ${finding.code} ${formatFinding(finding)}`);
}

export function cidrs(result: ConfigResult): readonly string[] | undefined {
  return result.config?.nonMasqueradeCIDRs.map(({ prefix }) => formatPrefix(prefix));
}
