import {
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from "js-yaml";
import { configLimits } from "./limits.ts";
import { type LineIndex, lineIndex } from "./lines.ts";
import {
  DocumentError,
  type DocumentProblem,
  deepestNesting,
  duplicateKey,
  type ReportProblem,
  tooManyKeys,
} from "./problem.ts";
import { describeValue, longestSentence, type MapEntry, shorten, type Value } from "./value.ts";
import { resolvePlain, resolveTagged } from "./yaml-scalar.ts";

/** What go-yaml's reader lets through. js-yaml looks at values alone, not at comments. */
const forbidden = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Keys copied by `<<`. Without a bound a file of a few MB could ask for 10^10 copies. */
const mostMergedKeys = 10_000;

/**
 * YAML as the Go original reads it, from js-yaml's events and not through its schemas: those keep no lines and know
 * YAML 1.2's scalars. An empty text is null,
 * a broken one undefined. Aliases share their value, so that a bomb of them costs nothing; what makes a text long to
 * parse was counted before (`countMarks`).
 */
export function parseYaml(text: string, report: ReportProblem): Value | undefined {
  return parseYamlWith(text, report, configLimits, oneDocument);
}

/** The same for a file that may hold several documents, as a manifest does. */
export function parseYamlDocuments(text: string, report: ReportProblem): readonly Value[] | undefined {
  const any = { keys: Number.POSITIVE_INFINITY, documents: Number.POSITIVE_INFINITY };
  return parseYamlWith(text, report, any, ({ documents }) => documents);
}

function parseYamlWith<T>(
  text: string,
  report: ReportProblem,
  most: Builder["most"],
  result: (builder: Builder) => T,
): T | undefined {
  const lines = lineIndex(text);
  const builder: Builder = {
    text,
    lines,
    report,
    frames: [],
    anchors: new Map(),
    documents: [],
    line: 1,
    merged: 0,
    keys: 0,
    aliases: 0,
    most,
  };
  try {
    const control = forbidden.exec(text);
    if (control !== null) throw syntax(lines, lines.lineOf(control.index), "control characters are not allowed");
    for (const event of parseEvents(text, { maxDepth: deepestNesting })) take(builder, event);
    return result(builder);
  } catch (error) {
    report(problemOf(error, lines));
    return undefined;
  }
}

interface Builder {
  readonly text: string;
  readonly lines: LineIndex;
  readonly report: ReportProblem;
  readonly frames: Frame[];
  readonly anchors: Map<string, Value>;
  readonly documents: Value[];
  line: number;
  merged: number;
  keys: number;
  aliases: number;
  readonly most: { readonly keys: number; readonly documents: number };
}

/** A collection that is still open; in a map's `items`, keys and values take turns. */
interface Frame {
  readonly kind: "document" | "list" | "map";
  readonly line: number;
  readonly anchor: string;
  readonly items: Value[];
  /** Where in `items` a merge key stands. */
  readonly mergeKeys: Set<number>;
}

function take(builder: Builder, event: Event): void {
  switch (event.type) {
    case EVENT_ID.DOCUMENT:
      for (const directive of event.directives) {
        if (directive.kind !== "yaml" || directive.version === "1.1") continue;
        throw syntax(builder.lines, builder.line, `YAML ${directive.version} is announced, and YAML 1.1 is read here`);
      }
      if (builder.documents.length === builder.most.documents) {
        throw tooMany(builder, "documents", `the file has more than ${configLimits.documents} YAML documents`);
      }
      builder.anchors.clear();
      open(builder, "document", "");
      break;
    case EVENT_ID.SEQUENCE:
    case EVENT_ID.MAPPING:
      builder.line = builder.lines.lineOf(event.start);
      open(builder, event.type === EVENT_ID.MAPPING ? "map" : "list", anchorOf(builder, event));
      break;
    case EVENT_ID.SCALAR: {
      if (event.valueStart >= 0) builder.line = builder.lines.lineOf(event.valueStart);
      const value = scalarValue(builder, event);
      const frame = builder.frames.at(-1);
      if (frame !== undefined && isMergeKey(builder, frame, event)) frame.mergeKeys.add(frame.items.length);
      put(builder, value, anchorOf(builder, event));
      break;
    }
    case EVENT_ID.ALIAS: {
      builder.line = builder.lines.lineOf(event.anchorStart);
      // A list of a few MB of them, each a long text, would be read entry by entry.
      if (++builder.aliases > configLimits.aliases) {
        throw tooMany(builder, "aliases", `the file has more than ${configLimits.aliases} YAML aliases`);
      }
      const name = anchorOf(builder, event);
      const value = builder.anchors.get(name);
      if (value === undefined) throw syntax(builder.lines, builder.line, `*${name} stands for nothing above it`);
      put(builder, { ...value, line: builder.line }, "");
      break;
    }
    case EVENT_ID.POP:
      close(builder);
      break;
  }
}

function open(builder: Builder, kind: Frame["kind"], anchor: string): void {
  builder.frames.push({ kind, line: builder.line, anchor, items: [], mergeKeys: new Set() });
}

function put(builder: Builder, value: Value, anchor: string): void {
  if (anchor !== "") builder.anchors.set(anchor, value);
  builder.frames.at(-1)?.items.push(value);
}

function close(builder: Builder): void {
  const frame = builder.frames.pop();
  if (frame === undefined) return;
  const { kind, line, items, anchor } = frame;
  if (kind === "document") builder.documents.push(items[0] ?? { kind: "null", line });
  else if (kind === "list") put(builder, { kind, items, line }, anchor);
  else put(builder, { kind, entries: entriesOf(builder, frame), line }, anchor);
}

function entriesOf(builder: Builder, frame: Frame): readonly MapEntry[] {
  const entries = new Map<string, MapEntry>();
  // Below a merge key, a key overrides what was merged; above it, go-yaml and the YAML specification disagree.
  const overridable = new Set<string>();
  builder.keys += frame.items.length / 2;
  if (builder.keys > builder.most.keys) throw new DocumentError(tooManyKeys(frame.line));
  for (let index = 0; index + 1 < frame.items.length; index += 2) {
    const [name, value] = [frame.items[index], frame.items[index + 1]];
    if (name === undefined || value === undefined) break;
    if (frame.mergeKeys.has(index)) {
      for (const entry of mergedEntries(builder, value, name.line)) {
        if (addEntry(builder, entries, entry)) overridable.add(entry.key);
      }
      continue;
    }
    const key = keyText(builder, name);
    if (overridable.delete(key)) entries.delete(key);
    addEntry(builder, entries, { key, line: name.line, value });
  }
  return Array.from(entries.values());
}

function addEntry(builder: Builder, entries: Map<string, MapEntry>, entry: MapEntry): boolean {
  const earlier = entries.get(entry.key);
  if (earlier === undefined) entries.set(entry.key, entry);
  else builder.report(duplicateKey(entry, earlier.line));
  return earlier === undefined;
}

/** What `<<` brings: of several maps in a list, the first that has a key. */
function mergedEntries(builder: Builder, value: Value, line: number): Iterable<MapEntry> {
  const entries = new Map<string, MapEntry>();
  for (const source of value.kind === "list" ? value.items : [value]) {
    if (source.kind !== "map") throw syntax(builder.lines, line, "<< takes a map, or a list of maps");
    builder.merged += source.entries.length + 1;
    if (builder.merged > mostMergedKeys) {
      throw syntax(builder.lines, line, `<< brings more than ${mostMergedKeys} keys`);
    }
    for (const entry of source.entries) {
      if (!entries.has(entry.key)) entries.set(entry.key, { ...entry, line });
    }
  }
  return entries.values();
}

function keyText(builder: Builder, key: Value): string {
  if (key.kind === "string") return key.value;
  if (key.kind === "boolean") return String(key.value);
  if (key.kind === "number") return key.literal;
  throw syntax(builder.lines, key.line, `a ${key.kind} cannot be a key`);
}

function scalarValue(builder: Builder, event: ScalarEvent): Value {
  const text = getScalarValue(builder.text, event);
  const { line } = builder;
  const tag = event.tagStart < 0 ? "" : builder.text.slice(event.tagStart, event.tagEnd);
  if (tag === "" && event.style !== SCALAR_STYLE.PLAIN) return { kind: "string", value: text, line };
  const scalar = tag === "" || tag === "!" ? resolvePlain(text) : resolveTagged(tag, text);
  if ("reason" in scalar) throw syntax(builder.lines, line, scalar.reason);
  switch (scalar.type) {
    case "null":
      return { kind: "null", line };
    case "bool":
      return { kind: "boolean", value: scalar.value, line };
    case "str":
      return { kind: "string", value: scalar.value, line };
    case "int":
    case "float":
      return { kind: "number", literal: scalar.literal, line };
  }
}

function isMergeKey(builder: Builder, frame: Frame, event: ScalarEvent): boolean {
  if (frame.kind !== "map" || frame.items.length % 2 === 1) return false;
  return event.style === SCALAR_STYLE.PLAIN && event.tagStart < 0 && getScalarValue(builder.text, event) === "<<";
}

function anchorOf(builder: Builder, event: { readonly anchorStart: number; readonly anchorEnd: number }): string {
  return event.anchorStart < 0 ? "" : builder.text.slice(event.anchorStart, event.anchorEnd);
}

/** The Go original read the first document and never said that there were more. A last `---` with nothing below is none. */
function oneDocument(builder: Builder): Value {
  const [first, ...others] = builder.documents;
  for (const other of others) {
    if (other.kind === "null") continue;
    builder.report({
      code: "second-document",
      line: other.line,
      value: describeValue(other),
      reason: "a second YAML document begins here",
      remedy: "keep one document in the file, or make a second file of it",
    });
  }
  return first ?? { kind: "null", line: 1 };
}

function tooMany({ line }: Builder, what: "documents" | "aliases", reason: string): DocumentError {
  const remedy =
    what === "aliases" ? "write the values out" : "keep one document in the file, and check that it is the right file";
  return new DocumentError({ code: `too-many-${what}`, line, reason, remedy });
}

function syntax(lines: LineIndex, line: number, reason: string): DocumentError {
  return new DocumentError({
    code: "yaml-syntax",
    line,
    value: shorten(lines.textOf(line).trim()),
    reason: shorten(reason, longestSentence),
    remedy: "correct the YAML on this line, or on those just above it",
  });
}

function problemOf(error: unknown, lines: LineIndex): DocumentProblem {
  if (error instanceof DocumentError) return error.problem;
  if (!(error instanceof YAMLException)) throw error;
  return syntax(lines, (error.mark?.line ?? 0) + 1, error.reason).problem;
}
