import type { Answer } from "./answer.ts";

/** What is used of a request. */
export interface Head {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly accept: string;
}

/** More than this before the empty line is refused; so much of a connection is kept in memory at most. */
export const headLimitBytes: number = 8 * 1024;

const requestLine = /^([!#$%&'*+.^_`|~\w-]+) (\S+) HTTP\/(\d)\.\d$/;
const headerLine = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*)$/;

/**
 * Reads the head of a request from all that came so far. Undefined: there is more to come. What follows the empty line
 * is not looked at: there is one request to a connection, so neither a body nor a second request can be mistaken for
 * something else (RFC 9112).
 */
export function readHead(received: Buffer): Head | { readonly refusal: Answer } | undefined {
  // A TLS handshake, for one, would else be waited for to its end, which does not come.
  if (received.length > 0 && !isLetter(received[0] ?? 0)) return refuse(400, "this is plain HTTP/1.1");
  const end = endOfHead(received);
  if (end > headLimitBytes || (end < 0 && received.length > headLimitBytes))
    return refuse(431, `the request's head is longer than ${headLimitBytes} bytes`);
  return end < 0 ? undefined : parse(received.toString("latin1", 0, end).split(/\r?\n/));
}

function parse([first = "", ...lines]: readonly string[]): Head | { readonly refusal: Answer } {
  const [, method = "", target = "", major] = requestLine.exec(first) ?? [];
  if (major === undefined) return refuse(400, "the request line cannot be read");
  if (major !== "1") return refuse(505, "this is plain HTTP/1.1");
  const accept: string[] = [];
  let hasHost = first.endsWith("1.0");
  for (const line of lines) {
    const [, name, value = ""] = headerLine.exec(line) ?? [];
    if (name === undefined) return refuse(400, "a header cannot be read");
    if (name.toLowerCase() === "accept") accept.push(value);
    if (name.toLowerCase() === "host") hasHost = true;
  }
  if (!hasHost) return refuse(400, "the header Host is missing");
  return { method, path: target.split("?", 1)[0] ?? "", accept: accept.join(", ") };
}

/** Where the last line before the empty one ends; -1: there is no empty line yet. A bare line feed ends a line too. */
function endOfHead(received: Buffer): number {
  const ends = [received.indexOf("\n\r\n"), received.indexOf("\n\n")].filter((at) => at >= 0);
  if (ends.length === 0) return -1;
  const end = Math.min(...ends);
  return received[end - 1] === 0x0d ? end - 1 : end;
}

function isLetter(byte: number): boolean {
  return /[A-Za-z]/.test(String.fromCharCode(byte));
}

function refuse(status: number, why: string): { readonly refusal: Answer } {
  return { refusal: { status, body: `${why}\n` } };
}
