import type { Report } from "./collect.ts";
import { parseJson } from "./json.ts";
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

/**
 * The largest file that is read, in bytes. A ConfigMap ends at 1 MiB; 100,000 IPv6 CIDRs take about 5. Above it a parser
 * would take hundreds of MB of memory from the node before anybody sees the mistake.
 */
export const largestFile: number = 8 * 1024 * 1024;

/** Go's `unicode.IsSpace`. U+FEFF is not in it, so a byte order mark before `{` makes a file YAML. */
const startsJson = /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*\{/;

/**
 * Bytes → one value with its lines. As in the Go original (k8s.io/apimachinery/pkg/util/yaml.ToJSON) the first character
 * decides: `{` means strict JSON, anything else YAML. Undefined where the text cannot be read at all.
 */
export function parseDocument(source: ConfigSource, report: Report): Value | undefined {
  return parseWith(source, report, parseJson, (text, refuse) => parsePlainYaml(text) ?? parseYaml(text, refuse));
}

/** The same for a file that may hold several YAML documents; undefined where it cannot be read at all. */
export function parseDocuments(source: ConfigSource, report: Report): readonly Value[] | undefined {
  return parseWith(
    source,
    report,
    (text, refuse) => {
      const value = parseJson(text, refuse);
      return value && [value];
    },
    parseYamlDocuments,
  );
}

type Parse<T> = (text: string, refuse: ReportProblem) => T | undefined;

function parseWith<T>({ file, content }: ConfigSource, report: Report, json: Parse<T>, yaml: Parse<T>): T | undefined {
  const refuse: ReportProblem = (problem) => report({ severity: "error", file, ...problem });
  if (content.byteLength > largestFile) {
    refuse({
      code: "file-too-large",
      reason: `the file has ${content.byteLength} bytes, and at most ${largestFile} are read`,
      remedy: "check that it is the right file; fewer, larger CIDRs say the same in less",
    });
    return undefined;
  }
  const lenient = new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);
  // encoding/json reads a broken character as U+FFFD; go-yaml refuses the file.
  if (startsJson.test(lenient)) return json(lenient, refuse);
  const text = decodeText(content);
  if (text !== undefined) return yaml(text, refuse);
  refuse({ code: "encoding", reason: `the file is not ${encodingOf(content)} text`, remedy: "save it as UTF-8" });
  return undefined;
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
