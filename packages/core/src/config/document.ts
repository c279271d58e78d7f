import type { Finding } from "./finding.ts";
import { parseJson } from "./json.ts";
import type { DocumentProblem, ParsedDocument } from "./problem.ts";
import type { Value } from "./value.ts";
import { parseYaml } from "./yaml.ts";

/** A config file's content, as found. */
export interface ConfigSource {
  /** The file's name for messages. */
  readonly file: string;
  readonly content: Uint8Array;
}

export interface Document {
  /** Absent where the text could not be read at all. */
  readonly root: Value | undefined;
  readonly findings: readonly Finding[];
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
 * decides: `{` means strict JSON, anything else YAML.
 */
export function parseDocument({ file, content }: ConfigSource): Document {
  const { root, problems } = parse(content);
  return { root, findings: problems.map((problem) => ({ severity: "error", file, ...problem })) };
}

function parse(content: Uint8Array): ParsedDocument {
  if (content.byteLength > largestFile) {
    return refused({
      code: "file-too-large",
      reason: `the file has ${content.byteLength} bytes, and at most ${largestFile} are read`,
      remedy: "check that it is the right file; fewer, larger CIDRs say the same in less",
    });
  }
  const lenient = new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);
  // encoding/json reads a broken character as U+FFFD; go-yaml refuses the file.
  if (startsJson.test(lenient)) return parseJson(lenient);
  const encoding = encodingOf(content);
  try {
    return parseYaml(new TextDecoder(encoding, { fatal: true }).decode(content));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return refused({
      code: "encoding",
      reason: `the file is not ${encoding.toUpperCase()} text`,
      remedy: "save it as UTF-8",
    });
  }
}

/** YAML 1.1 section 5.2: a byte order mark tells UTF-16, and without one a text is UTF-8. */
function encodingOf(content: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (content[0] === 0xff && content[1] === 0xfe) return "utf-16le";
  if (content[0] === 0xfe && content[1] === 0xff) return "utf-16be";
  return "utf-8";
}

function refused(problem: Omit<DocumentProblem, "line">): ParsedDocument {
  return { root: undefined, problems: [problem] };
}
