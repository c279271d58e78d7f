import { Buffer } from "node:buffer";
import { type ConfigSource, configLimits } from "@ip-masq-agent/core";

/** Names under which a shell hands standard input on. */
const names: ReadonlySet<string> = new Set(["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]);

export function isStandardInput(path: string): boolean {
  return names.has(path);
}

/** What is read of `process.stdin`. */
export interface InputStream extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean;
}

/** Standard input to its end, or one byte more than a config may have; undefined: it is a terminal, nothing is read. */
export async function readStandardInput(stream: InputStream): Promise<ConfigSource | undefined> {
  if (stream.isTTY === true) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.byteLength;
    if (length > configLimits.bytes) break;
  }
  return { file: "standard input", content: Buffer.concat(chunks).subarray(0, configLimits.bytes + 1) };
}
