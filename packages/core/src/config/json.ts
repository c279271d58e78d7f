import { type LineIndex, lineIndex } from "./lines.ts";
import { DocumentError, deepestNesting, duplicateKey, type ReportProblem, tooManyKeys } from "./problem.ts";
import type { MapEntry, Value } from "./value.ts";

const spaces = /[ \t\n\r]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const words: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);

/**
 * Strict JSON (RFC 8259), as Go's encoding/json reads it. `JSON.parse` will not do: it keeps the last of two equal keys,
 * turns literals into doubles and knows no lines. Undefined where the syntax is broken.
 */
export function parseJson(text: string, report: ReportProblem, mostKeys: number): Value | undefined {
  const parser: Parser = { text, lines: lineIndex(text), report, position: 0, depth: 0, keys: 0, mostKeys };
  try {
    const root = readValue(parser);
    if (parser.position < text.length) fail(parser, "stands after the end of the JSON value");
    return root;
  } catch (error) {
    if (!(error instanceof DocumentError)) throw error;
    report(error.problem);
    return undefined;
  }
}

interface Parser {
  readonly text: string;
  readonly lines: LineIndex;
  readonly report: ReportProblem;
  position: number;
  depth: number;
  keys: number;
  readonly mostKeys: number;
}

/** Reads a value and the space on both sides of it. */
function readValue(parser: Parser): Value {
  skipSpaces(parser);
  const line = parser.lines.lineOf(parser.position);
  const value = readBare(parser, line);
  skipSpaces(parser);
  return value;
}

function readBare(parser: Parser, line: number): Value {
  switch (parser.text[parser.position]) {
    case "{":
      return { kind: "map", entries: nested(parser, readEntries), line };
    case "[":
      return { kind: "list", items: nested(parser, readItems), line };
    case '"':
      return { kind: "string", value: readString(parser), line };
  }
  for (const [word, value] of words) {
    if (!parser.text.startsWith(word, parser.position)) continue;
    parser.position += word.length;
    return value === null ? { kind: "null", line } : { kind: "boolean", value, line };
  }
  const literal = matchAt(parser, number);
  if (literal === undefined) fail(parser, "stands where a value must begin");
  return { kind: "number", literal, line };
}

function nested<T>(parser: Parser, read: (parser: Parser) => T): T {
  if (++parser.depth > deepestNesting) fail(parser, `opens more than ${deepestNesting} collections in one another`);
  parser.position++;
  const value = read(parser);
  parser.depth--;
  return value;
}

function readEntries(parser: Parser): readonly MapEntry[] {
  const entries = new Map<string, MapEntry>();
  skipSpaces(parser);
  if (takeIf(parser, "}")) return [];
  do {
    skipSpaces(parser);
    const line = parser.lines.lineOf(parser.position);
    if (parser.text[parser.position] !== '"') fail(parser, "stands where a key in double quotes must begin");
    if (++parser.keys > parser.mostKeys) throw new DocumentError(tooManyKeys(line));
    const key = readString(parser);
    skipSpaces(parser);
    if (!takeIf(parser, ":")) fail(parser, "stands where the colon after a key must be");
    const value = readValue(parser);
    const entry = { key, line, value };
    const earlier = entries.get(key);
    if (earlier === undefined) entries.set(key, entry);
    else parser.report(duplicateKey(entry, earlier.line));
  } while (takeIf(parser, ","));
  if (!takeIf(parser, "}")) fail(parser, "stands where a comma or } must be");
  return Array.from(entries.values());
}

function readItems(parser: Parser): readonly Value[] {
  const items: Value[] = [];
  skipSpaces(parser);
  if (takeIf(parser, "]")) return items;
  do items.push(readValue(parser));
  while (takeIf(parser, ","));
  if (!takeIf(parser, "]")) fail(parser, "stands where a comma or ] must be");
  return items;
}

/** Finds the closing quote here, and leaves escapes and forbidden characters to `JSON.parse`. */
function readString(parser: Parser): string {
  const start = parser.position;
  let end = start;
  for (;;) {
    end = parser.text.indexOf('"', end + 1);
    if (end < 0) fail(parser, "opens a text that is never closed");
    let backslash = end;
    while (parser.text[backslash - 1] === "\\") backslash--;
    if ((end - backslash) % 2 === 0) break;
  }
  try {
    const value: unknown = JSON.parse(parser.text.slice(start, end + 1));
    parser.position = end + 1;
    return String(value);
  } catch {
    return fail(parser, "opens a text with an unknown escape or a bare control character");
  }
}

function skipSpaces(parser: Parser): void {
  matchAt(parser, spaces);
}

function matchAt(parser: Parser, pattern: RegExp): string | undefined {
  pattern.lastIndex = parser.position;
  const match = pattern.exec(parser.text)?.[0];
  parser.position += match?.length ?? 0;
  return match;
}

function takeIf(parser: Parser, character: string): boolean {
  if (parser.text[parser.position] !== character) return false;
  parser.position++;
  return true;
}

function fail(parser: Parser, reason: string): never {
  const code = parser.text.codePointAt(parser.position);
  const found = code === undefined ? "the end of the file" : JSON.stringify(String.fromCodePoint(code));
  const excerpt = parser.text.slice(Math.max(0, parser.position - 30), parser.position + 30);
  throw new DocumentError({
    code: "json-syntax",
    line: parser.lines.lineOf(parser.position),
    value: excerpt.replaceAll(/\s+/g, " ").trim(),
    reason: `${found} ${reason}`,
    remedy: "a file that begins with { must be strict JSON (keys in double quotes, no comment, no comma at the end)",
  });
}
