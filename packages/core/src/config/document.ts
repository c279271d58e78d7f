import type { Report } from "./collect.ts";
import { parseJson } from "./json.ts";
import { configLimits, countMarks } from "./limits.ts";
import { parsePlainYaml } from "./plain-yaml.ts";
import type { ReportProblem } from "./problem.ts";
import type { Value } from "./value.ts";
import { parseYaml, parseYamlDocuments } from "./yaml.ts";

/** A config file's content, as found. */
export interface ConfigSource {
  /** The file's name for messages. */
  readonly file: string;
  readonly content: Uint8Array;
}

/** Go's `unicode.IsSpace`. U+FEFF is not in it, so a byte order mark before `{` makes a file YAML. */
const startsJson = /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*\{/;

/**
 * Bytes → one value with its lines. As in the Go original (k8s.io/apimachinery/pkg/util/yaml.ToJSON) the first character
 * decides: `{` means strict JSON, anything else YAML. Undefined where the text cannot be read at all.
 */
export function parseDocument(source: ConfigSource, report: Report, budget: MarkBudget = whole()): Value | undefined {
  const yaml: Parse<Value> = (text, refuse) => parsePlainYaml(text) ?? parseYaml(text, refuse);
  return parseWith(source, report, budget, (text, refuse) => parseJson(text, refuse, configLimits.keys), yaml);
}

/**
 * The same for a file that may hold several YAML documents and any number of keys, as manifests do; undefined where it cannot be read at all.
 */
export function parseDocuments(source: ConfigSource, report: Report): readonly Value[] | undefined {
  return parseWith(
    source,
    report,
    whole(),
    (text, refuse) => {
      const value = parseJson(text, refuse, Number.POSITIVE_INFINITY);
      return value && [value];
    },
    parseYamlDocuments,
  );
}

type Parse<T> = (text: string, refuse: ReportProblem) => T | undefined;

function parseWith<T>(
  { file, content }: ConfigSource,
  report: Report,
  budget: MarkBudget,
  json: Parse<T>,
  yaml: Parse<T>,
): T | undefined {
  const refuse: ReportProblem = (problem) => report({ severity: "error", file, ...problem });
  const lenient = new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);
  // encoding/json reads a broken character as U+FFFD; go-yaml refuses the file.
  const isJson = startsJson.test(lenient);
  const text = isJson ? lenient : decodeText(content);
  if (text !== undefined && isOver(text, budget)) {
    refuse({
      code: "too-many-parts",
      reason: `the config has more than ${configLimits.marks} lines, commas and brackets`,
      remedy: `check that it is the right file; at most ${configLimits.entries} CIDRs can be listed, larger ones say the same in fewer`,
    });
    return undefined;
  }
  if (isJson) return json(lenient, refuse);
  if (text !== undefined) return yaml(text, refuse);
  refuse({ code: "encoding", reason: `the file is not ${encodingOf(content)} text`, remedy: "save it as UTF-8" });
  return undefined;
}

/** What the files of one config have left of `configLimits.marks`. */
export interface MarkBudget {
  left: number;
}

function whole(): MarkBudget {
  return { left: configLimits.marks };
}

function isOver(text: string, budget: MarkBudget): boolean {
  budget.left -= countMarks(text, budget.left);
  return budget.left < 0;
}

/** The text without its byte order mark; undefined where the bytes break the encoding's rules. */
function decodeText(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder(encodingOf(content), { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** YAML 1.1 section 5.2: a byte order mark tells UTF-16, and without one a text is UTF-8. */
function encodingOf(content: Uint8Array): "UTF-8" | "UTF-16LE" | "UTF-16BE" {
  if (content[0] === 0xff && content[1] === 0xfe) return "UTF-16LE";
  if (content[0] === 0xfe && content[1] === 0xff) return "UTF-16BE";
  return "UTF-8";
}
