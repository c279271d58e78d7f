import { constants, fstatSync, openSync, writeSync } from "node:fs";

/** Where log lines go. */
export interface LineSink {
  /** Takes a line whole, or not at all: false. Never waits and never throws. */
  write(line: string): boolean;
}

/**
 * Standard error, as a sink that cannot stop the agent. A pipe whose reader has stopped reading would block every write
 * for ever: it is opened a second time without blocking, through /proc, so that whoever shares the pipe keeps his mode. A
 * full disk, a closed pipe and the like lose the line.
 */
export function openStderr(fd = 2): LineSink {
  const target = withoutBlocking(fd);
  /** What a pipe did not take of a line longer than PIPE_BUF (4096 bytes): it comes first, or lines would mix. */
  let rest: Buffer = Buffer.alloc(0);

  /** Gives what could not be written. */
  function put(bytes: Buffer): Buffer {
    try {
      return bytes.subarray(writeSync(target, bytes));
    } catch {
      return bytes;
    }
  }

  return {
    write(line) {
      if (rest.byteLength > 0) rest = put(rest);
      if (rest.byteLength > 0) return false;
      const bytes = Buffer.from(line);
      const left = put(bytes);
      if (left.byteLength === bytes.byteLength) return false;
      rest = left.byteLength === 0 ? left : put(left);
      return true;
    },
  };
}

function withoutBlocking(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND);
  } catch {
    // Another user's pipe, or no /proc: as it is.
    return fd;
  }
}
