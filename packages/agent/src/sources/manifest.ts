import {
  type ConfigSource,
  describeValue,
  type Finding,
  type MapEntry,
  type MapValue,
  parseDocuments,
  type Value,
} from "@ip-masq-agent/core";

/** The config that a manifest of Kubernetes holds, or what is wrong with the manifest. */
export interface ManifestConfig {
  /** One for each key with a config in it. Lines are the manifest's own where the value is a literal block (`|`). */
  readonly sources: readonly ConfigSource[];
  /** Of the manifest; what is wrong with the config itself, reading it tells. */
  readonly findings: readonly Finding[];
}

/**
 * Reads a ConfigMap's manifest, YAML or JSON; also one ConfigMap among other objects, as documents or in a List. Undefined:
 * the file is none, and is read as a config. Of the ConfigMap's keys those count that the agent would read in a mounted
 * folder: every `ip-masq*`, else `config`.
 */
export function manifestConfig(source: ConfigSource): ManifestConfig | undefined {
  const documents = parseDocuments(source, () => {}) ?? [];
  const objects = documents.flatMap(objectsIn);
  if (!documents.some((document) => document.kind === "map" && isObject(document))) return undefined;
  const { file } = source;
  const maps = objects.filter((object) => textOf(object, "kind") === "ConfigMap");
  const withConfig = maps.filter((map) => configKeys(entriesOf(map)).length > 0);
  const [map, another] = withConfig.length > 0 ? withConfig : maps;
  if (map === undefined) {
    const [first] = objects;
    const kinds = [...new Set(objects.map((object) => textOf(object, "kind") ?? "an object without a kind"))].join(
      ", ",
    );
    return refused({
      ...{ code: "manifest-kind", file, reason: `holds ${kinds === "" ? "an empty List" : kinds}, and no ConfigMap` },
      ...(first !== undefined && { line: first.line }),
      remedy: "name the manifest of the ConfigMap, or a file with the config itself",
    });
  }
  if (another !== undefined) {
    return refused({
      ...{ code: "manifest-many", file, line: another.line },
      reason: `holds ${(withConfig.length > 0 ? withConfig : maps).length} ConfigMaps, and one of them at most can be the config`,
      remedy: "put each into a file of its own",
    });
  }
  return configIn(map, source);
}

function configIn(map: MapValue, { file, content }: ConfigSource): ManifestConfig {
  const entries = entriesOf(map);
  const keys = configKeys(entries);
  if (keys.length === 0) {
    const names = entries.map(({ entry }) => entry.key).join(", ");
    return refused({
      ...{ code: "no-config-key", file, line: map.line },
      reason: names === "" ? "has no keys" : `has no key ip-masq-agent or config, but ${names}`,
      remedy: "put the config under the key ip-masq-agent of data",
    });
  }
  const lines = new TextDecoder().decode(content).split(/\r\n|\n|\r/);
  const sources: ConfigSource[] = [];
  const findings: Finding[] = [];
  const seen = new Set<string>();
  for (const one of keys) {
    const { entry, field } = one;
    const place = { file, line: entry.line, key: `${field}.${entry.key}`, value: describeValue(entry.value) };
    if (seen.has(entry.key)) {
      const remedy = "keep one of the two";
      findings.push({
        severity: "error",
        code: "duplicate-key",
        ...place,
        reason: "is in data and in binaryData",
        remedy,
      });
    }
    seen.add(entry.key);
    const read = field === "data" ? plainText(entry, file, lines) : decoded(entry, file);
    if ("content" in read) sources.push(read);
    else findings.push({ severity: "error", code: "config-map-value", ...place, ...read });
  }
  const [, second] = keys;
  if (second !== undefined && seen.size > 1) {
    findings.push({
      ...{
        severity: "warning",
        code: "several-keys",
        file,
        line: second.entry.line,
        key: `${second.field}.${second.entry.key}`,
      },
      reason: "is merged with the keys before it only by an agent whose --config names the folder",
      remedy: "put all into the key ip-masq-agent, or start the agent with --config=/etc/config",
    });
  }
  return { sources, findings };
}

interface KeyOfMap {
  readonly field: "data" | "binaryData";
  readonly entry: MapEntry;
}

function entriesOf(map: MapValue): readonly KeyOfMap[] {
  return (["data", "binaryData"] as const).flatMap((field) => {
    const value = fieldOf(map, field);
    return value?.kind === "map" ? value.entries.map((entry) => ({ field, entry })) : [];
  });
}

function configKeys(entries: readonly KeyOfMap[]): readonly KeyOfMap[] {
  const own = entries.filter(({ entry }) => entry.key.startsWith("ip-masq"));
  return own.length > 0 ? own : entries.filter(({ entry }) => entry.key === "config");
}

type Refusal = Pick<Finding, "reason" | "remedy">;

function plainText({ key, line, value }: MapEntry, file: string, lines: readonly string[]): ConfigSource | Refusal {
  if (value.kind !== "string") {
    const found = value.kind === "null" ? "empty" : `a ${value.kind}`;
    return {
      reason: `is ${found}, and a ConfigMap holds texts`,
      remedy: `write ${key}: | and the config below it, indented`,
    };
  }
  const text = value.value;
  // With as many empty lines before it as there are in the manifest, the config's lines have the manifest's numbers.
  if (isLiteral(text, lines, value.line))
    return { file: `${file}[${key}]`, content: bytes(`${"\n".repeat(value.line - 1)}${text}`) };
  return { file: `${file}:${line}[${key}]`, content: bytes(text) };
}

function decoded({ key, line, value }: MapEntry, file: string): ConfigSource | Refusal {
  const refusal = { reason: "is not base64", remedy: "encode it with base64, or put the text under data" };
  if (value.kind !== "string") return refusal;
  const text = value.value.replaceAll(/\s/g, "");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return refusal;
  return { file: `${file}:${line}[${key}]`, content: Buffer.from(text, "base64") };
}

/** Whether the text stands in the file as it is, line for line from this line on, behind one indentation. */
function isLiteral(text: string, lines: readonly string[], first: number): boolean {
  const own = text.split("\n");
  if (own.at(-1) === "") own.pop();
  const sample = own.findIndex((line) => line.trim() !== "");
  const standing = lines[first - 1 + sample] ?? "";
  const indentation = standing.slice(0, standing.length - (own[sample]?.length ?? 0));
  if (sample < 0 || indentation.trim() !== "" || text.startsWith("\ufeff")) return false;
  return own.every((line, at) => {
    const there = lines[first - 1 + at];
    return there === `${indentation}${line}` || (line === "" && there?.trim() === "");
  });
}

/** The object, or those of a List. */
function objectsIn(document: Value): readonly MapValue[] {
  if (document.kind !== "map") return [];
  const items = fieldOf(document, "items");
  if (!(textOf(document, "kind") ?? "").endsWith("List") || items?.kind !== "list") return [document];
  return items.items.filter((item) => item.kind === "map");
}

function isObject(map: MapValue): boolean {
  return textOf(map, "kind") !== undefined && textOf(map, "apiVersion") !== undefined;
}

function fieldOf({ entries }: MapValue, name: string): Value | undefined {
  return entries.find(({ key }) => key === name)?.value;
}

function textOf(map: MapValue, name: string): string | undefined {
  const value = fieldOf(map, name);
  return value?.kind === "string" ? value.value : undefined;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function refused(finding: Omit<Finding, "severity">): ManifestConfig {
  return { sources: [], findings: [{ severity: "error", ...finding }] };
}
