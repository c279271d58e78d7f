import { readPrefix } from "../address/kernel-text.ts";
import { type Prefix, type PrefixProblem, parsePrefix } from "../address/prefix.ts";
import { mostListed, type Report } from "./collect.ts";
import type { ExemptEntry } from "./config.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import type { Finding, Severity } from "./finding.ts";
import { configLimits } from "./limits.ts";
import { manifestIn } from "./manifest.ts";
import { duplicateKey } from "./problem.ts";
import { type ConfigKey, findKey, nearestKey, shortestResyncMs } from "./schema.ts";
import { describeValue, type ListValue, longestSentence, type MapEntry, shorten, type Value } from "./value.ts";

/** A scalar that a file gives, and where. */
export interface Setting<T> {
  readonly value: T;
  readonly line: number;
}

/** The list of CIDRs that a file gives. */
export interface ExemptList {
  /** The valid ones, in the file's order. */
  readonly entries: readonly ExemptEntry[];
  /** How many it lists, valid or not. */
  readonly listed: number;
  readonly line: number;
}

/** What one file says. A key that it leaves out, or gives wrongly, is absent; defaults come later. */
export interface FileConfig {
  readonly file: string;
  readonly nonMasqueradeCIDRs?: ExemptList;
  readonly cidrLimit?: Setting<number>;
  readonly masqLinkLocal?: Setting<boolean>;
  readonly masqLinkLocalIPv6?: Setting<boolean>;
  readonly resyncIntervalMs?: Setting<number>;
}

export interface DecodeOptions {
  /** An unknown key is an error. */
  readonly strict: boolean;
  /** Without it an IPv6 CIDR is an error, as in the Go original: its author expects something that will not happen. */
  readonly enableIPv6: boolean;
}

/** A document's value → what the file says. */
export function decodeFile(file: string, root: Value, options: DecodeOptions, sink: Report): FileConfig {
  const decoder: Decoder = { file, options, sink };
  if (root.kind === "null") return { file };
  if (root.kind !== "map") {
    report(decoder, {
      code: "wrong-type",
      line: root.line,
      value: describeValue(root),
      reason: `the file holds a ${root.kind} where keys and their values are expected`,
      remedy: "begin with a key, as in nonMasqueradeCIDRs:",
    });
    return { file };
  }
  const manifest = manifestIn(root);
  if (manifest !== undefined) {
    report(decoder, manifest);
    return { file };
  }
  const seen = new Map<ConfigKey, MapEntry>();
  let config: FileConfig = { file };
  for (const entry of root.entries) {
    const key = findKey(entry.key);
    const earlier = key && seen.get(key);
    if (key === undefined) {
      unknownKey(decoder, entry);
    } else if (earlier !== undefined) {
      report(decoder, duplicateKey(entry, earlier.line));
    } else {
      seen.set(key, entry);
      config = { ...config, ...decodeKey(decoder, key, entry) };
    }
  }
  return config;
}

interface Decoder {
  readonly file: string;
  readonly options: DecodeOptions;
  readonly sink: Report;
}

function decodeKey(decoder: Decoder, key: ConfigKey, entry: MapEntry): Partial<FileConfig> | undefined {
  switch (key) {
    case "nonMasqueradeCIDRs": {
      const nonMasqueradeCIDRs = decodeList(decoder, entry);
      return nonMasqueradeCIDRs && { nonMasqueradeCIDRs };
    }
    case "cidrLimit": {
      const cidrLimit = decodeLimit(decoder, entry);
      return cidrLimit && { cidrLimit };
    }
    case "masqLinkLocal": {
      const masqLinkLocal = decodeBoolean(decoder, entry);
      return masqLinkLocal && { masqLinkLocal };
    }
    case "masqLinkLocalIPv6": {
      const masqLinkLocalIPv6 = decodeBoolean(decoder, entry);
      return masqLinkLocalIPv6 && { masqLinkLocalIPv6 };
    }
    case "resyncInterval": {
      const resyncIntervalMs = decodeInterval(decoder, entry);
      return resyncIntervalMs && { resyncIntervalMs };
    }
  }
}

/** Null is an empty list: Go's nil slice. */
function decodeList(decoder: Decoder, entry: MapEntry): ExemptList | undefined {
  const { value, line } = entry;
  if (value.kind === "null") return { entries: [], listed: 0, line };
  if (value.kind !== "list") {
    return wrongType(decoder, entry, "a list of CIDRs", "write one CIDR a line, each after a dash");
  }
  const listed = value.items.length;
  // Refused as a whole: see `limitFindings`.
  const entries = listed > configLimits.entries ? [] : decodeCIDRs(decoder, entry.key, value);
  return { entries, listed, line };
}

function decodeCIDRs(decoder: Decoder, key: string, list: ListValue): readonly ExemptEntry[] {
  const entries: ExemptEntry[] = [];
  let refused = 0;
  for (const [index, item] of list.items.entries()) {
    const prefix = decodeCIDR(decoder, item);
    if (prefix !== undefined) entries.push({ prefix, file: decoder.file, line: item.line });
    else if (++refused <= mostListed) refuseCIDR(decoder, `${key}[${index}]`, item);
    else countRefused(decoder, item);
  }
  return entries;
}

/** What nearly every entry is; undefined for what must be refused, or looked at more closely. */
function decodeCIDR(decoder: Decoder, item: Value): Prefix | undefined {
  const prefix = item.kind === "string" ? readCIDR(item.value) : undefined;
  if (prefix === undefined || "code" in prefix) return undefined;
  return prefix.family === "IPv6" && !decoder.options.enableIPv6 ? undefined : prefix;
}

/** One more than are listed: what is wrong with it takes ten times as long to say as to see. */
function countRefused(decoder: Decoder, { line }: Value): void {
  decoder.sink({
    severity: "error",
    code: "cidr",
    file: decoder.file,
    line,
    reason: "is no CIDR",
    remedy: "correct it",
  });
}

function refuseCIDR(decoder: Decoder, key: string, item: Value): undefined {
  const place = { line: item.line, key, value: describeValue(item) };
  if (item.kind !== "string") {
    const [reason, remedy] =
      item.kind === "null"
        ? ["is empty", "write a CIDR after the dash, or remove the entry"]
        : [`is a ${item.kind} where a CIDR is expected`, "write a text such as 10.0.0.0/8"];
    return report(decoder, { code: "cidr-type", ...place, reason, remedy });
  }
  const prefix = readCIDR(item.value);
  if ("code" in prefix) {
    return report(decoder, { ...prefix, code: `cidr-${prefix.code}`, ...place });
  }
  const remedy = "turn it on with --enable-ipv6, or remove the entry";
  return report(decoder, { code: "cidr-ipv6-off", ...place, reason: "is an IPv6 CIDR, and IPv6 is off", remedy });
}

/** No leading zeros, no dotted tail in IPv6: what `readPrefix` takes of these, `parsePrefix` takes alike. */
const plainCIDR = /^(?:(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){3}|[\da-fA-F:]+)\/(?:0|[1-9]\d*)$/;

/** `parsePrefix`, with a short cut: ip-num alone took 1.1 s for 100,000 IPv6 CIDRs. */
export function readCIDR(text: string): Prefix | PrefixProblem {
  const prefix = plainCIDR.test(text) ? readPrefix(text.includes(":") ? "IPv6" : "IPv4", text) : undefined;
  if (prefix === undefined || (prefix.family === "IPv6" && prefix.first >> 32n === 0xffffn)) return parsePrefix(text);
  return prefix;
}

/** Go's encoding/json takes an int from a literal of digits alone and within int64, and nothing from a null. */
function decodeLimit(decoder: Decoder, entry: MapEntry): Setting<number> | undefined {
  const { key, line, value } = entry;
  if (value.kind === "null") return undefined;
  if (value.kind !== "number" || !/^-?\d+$/.test(value.literal)) {
    return wrongType(decoder, entry, "a whole number", "write a number such as 64, without quotes");
  }
  const limit = Number(value.literal);
  const fits = value.literal.length <= 20 && BigInt.asIntN(64, BigInt(value.literal)) === BigInt(value.literal);
  if (limit < 0 || !fits) {
    return report(decoder, {
      code: "cidr-limit-range",
      line,
      key,
      value: shorten(value.literal),
      reason: limit < 0 ? "is below 0, which no list can keep to" : "is too large for a 64-bit integer",
      remedy: `write a number from 0 to ${configLimits.entries}`,
    });
  }
  return { value: limit, line };
}

function decodeBoolean(decoder: Decoder, entry: MapEntry): Setting<boolean> | undefined {
  const { value, line } = entry;
  if (value.kind === "null") return undefined;
  if (value.kind === "boolean") return { value: value.value, line };
  return wrongType(decoder, entry, "true or false", "write true or false, without quotes");
}

/** Null is refused here, unlike for the other scalars: to the Go original it is the duration "". */
function decodeInterval(decoder: Decoder, entry: MapEntry): Setting<number> | undefined {
  const { key, line, value } = entry;
  if (value.kind === "null") {
    return wrongType(decoder, entry, "a duration", "write one such as 60s, or remove the key for the default");
  }
  if (value.kind !== "string") {
    return wrongType(decoder, entry, "a duration", "write a number with its unit, as in 60s or 1m30s");
  }
  const interval = parseDuration(value.value);
  if (typeof interval !== "number") return report(decoder, { code: "interval-syntax", ...interval, ...shown(entry) });
  if (interval >= shortestResyncMs) return { value: interval, line };
  return report(decoder, {
    code: "interval-too-short",
    line,
    key,
    value: shorten(value.value),
    reason: `is shorter than ${formatDuration(shortestResyncMs)}, and the agent would do nothing but resync`,
    remedy: "write 60s, the default, or remove the key; changes of the config are seen at once anyway",
  });
}

function unknownKey(decoder: Decoder, { key, line, value }: MapEntry): void {
  const nearest = nearestKey(key);
  const { strict } = decoder.options;
  const finding = {
    code: "unknown-key",
    line,
    key: shorten(key),
    value: describeValue(value),
    reason: strict ? "is not a key of the config" : "is not a key of the config and means nothing",
    remedy: nearest === undefined ? "remove it" : `${nearest} is probably meant`,
  };
  report(decoder, finding, strict ? "error" : "warning");
}

function wrongType(decoder: Decoder, entry: MapEntry, expected: string, remedy: string): undefined {
  const found = entry.value.kind;
  const reason = `is ${found === "null" ? "null" : `a ${found}`} where ${expected} is expected`;
  report(decoder, { code: "wrong-type", ...shown(entry), reason, remedy });
}

function shown({ key, line, value }: MapEntry): {
  readonly line: number;
  readonly key: string;
  readonly value: string;
} {
  return { line, key, value: describeValue(value) };
}

function report(
  decoder: Decoder,
  finding: Omit<Finding, "severity" | "file">,
  severity: Severity = "error",
): undefined {
  // Reasons and remedies quote the value, however long it is.
  const reason = shorten(finding.reason, longestSentence);
  decoder.sink({ severity, file: decoder.file, ...finding, reason, remedy: shorten(finding.remedy, longestSentence) });
}
