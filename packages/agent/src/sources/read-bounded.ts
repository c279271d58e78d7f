import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { configLimits, type Finding, tooLarge } from "@ip-masq-agent/core";

const chunkBytes = 64 * 1024;

/**
 * A file's content, or what is wrong with it as a config file. Only a regular file is read, and never more than a config
 * may have: a link to /dev/zero has filled a node's memory, and a file may grow while it is read. `pipe`: a named pipe
 * is read too, to its end. Rejects with the system's error where it cannot be opened or read.
 */
export async function readBounded(file: string, pipe = false): Promise<Uint8Array | Finding> {
  // To open a pipe waits for a writer, but not with this flag; a regular file knows no difference.
  await using handle = await open(file, constants.O_RDONLY | (pipe ? 0 : constants.O_NONBLOCK));
  const found = await handle.stat();
  if (!found.isFile() && !(pipe && found.isFIFO())) return notRegular(file);
  if (found.size > configLimits.bytes) return tooLarge(file, found.size);
  const content = await readTo(handle, configLimits.bytes + 1);
  return content.byteLength > configLimits.bytes ? tooLarge(file, undefined) : content;
}

/** Up to `most` bytes, in chunks: the size that a file says to have need not be true. */
async function readTo(handle: FileHandle, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < most) {
    const buffer = new Uint8Array(Math.min(chunkBytes, most - length));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length);
}

function notRegular(file: string): Finding {
  return {
    ...({ severity: "error", code: "unreadable", file } as const),
    reason: "is a device, a pipe or a socket, not a file",
    remedy: "put the config into a file there",
  };
}
