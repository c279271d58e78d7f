import type { Finding } from "./finding.ts";

/**
 * What a config may be at most, over all of its files together. A ConfigMap ends at 1 MiB; the rest is for files from
 * elsewhere. Each limit is checked before the work that it bounds: within them all, a config is understood in 250 ms.
 */
export const configLimits: Readonly<Record<ConfigLimit, number>> = {
  /** Files of a directory. */
  files: 16,
  /** 50,000 IPv6 CIDRs in their longest form, one a line and quoted, take 2.7 MiB. */
  bytes: 4 * 1024 * 1024,
  /** CIDRs listed. On iptables-nft, the slowest backend, 50,000 are written in some 4 s with 330 MiB of memory. */
  entries: 50_000,
  /** Lines, commas and brackets, of which a file in any layout has at most two for each of its CIDRs. */
  marks: 120_000,
  /** Keys in all maps of a document; a config has five. */
  keys: 1_000,
  /** YAML aliases of a document. */
  aliases: 100,
  /** YAML documents of a file, empty ones too; a config has one. */
  documents: 100,
  /** Findings listed one by one; further ones are counted. */
  findings: 100,
};

type ConfigLimit = "files" | "bytes" | "entries" | "marks" | "keys" | "aliases" | "documents" | "findings";

/** A limit that a config does not keep to, before anything of it is parsed. */
export function sizeFinding(
  sources: readonly { readonly file: string; readonly content: Uint8Array }[],
): Finding | undefined {
  const [first] = sources;
  if (first === undefined) return undefined;
  if (sources.length > configLimits.files) return tooManyFiles(first.file, sources.length);
  const bytes = sources.reduce((sum, { content }) => sum + content.byteLength, 0);
  const largest = sources.reduce((a, b) => (b.content.byteLength > a.content.byteLength ? b : a));
  return bytes > configLimits.bytes ? tooLarge(largest.file, bytes, sources.length) : undefined;
}

/** More config files than are read; `file` is where they are. */
export function tooManyFiles(file: string, count: number): Finding {
  return {
    ...({ severity: "error", code: "too-many-files", file } as const),
    reason: `there are ${count} config files, and at most ${configLimits.files} are read`,
    remedy: "put their lists into fewer files",
  };
}

/** `bytes` of undefined: more than the limit, how many is not known. */
export function tooLarge(file: string, bytes: number | undefined, files = 1): Finding {
  const has = files === 1 ? "the file has" : `the ${files} config files have`;
  const size = bytes === undefined ? `more than ${configLimits.bytes}` : `${bytes}`;
  return {
    ...({ severity: "error", code: "file-too-large", file } as const),
    reason: `${has} ${size} bytes, and at most ${configLimits.bytes} are read`,
    remedy: "check that it is the right file; fewer, larger CIDRs say the same in less",
  };
}

/** Line ends (with the dash of a list's entry), commas, opening brackets, and what else begins a value in YAML. */
const mark = /(?:\r?\n|\r) *(?:-(?=\s))?|[,[{]|[-?:](?=\s)/g;

/** How many marks a text has; gives up beyond `most`, with `most + 1`. A tenth of a microsecond for each. */
export function countMarks(text: string, most: number): number {
  mark.lastIndex = 0;
  let count = 0;
  while (count <= most && mark.test(text)) count++;
  return count;
}
