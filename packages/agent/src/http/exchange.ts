import type { Socket } from "node:net";
import type { Clock } from "@ip-masq-agent/core";
import type { Answer, Routes } from "./answer.ts";
import { type Head, readHead } from "./head.ts";
import type { Guest } from "./rooms.ts";

/** How long a connection may take, milliseconds. */
export interface ExchangeLimits {
  /** From its beginning to the end of the request's head. */
  readonly headMs: number;
  /** From there until the client has taken the answer and closed. */
  readonly answerMs: number;
}

export interface Exchange {
  readonly socket: Socket;
  readonly local: boolean;
  readonly routes: Routes;
  readonly limits: ExchangeLimits;
  readonly clock: Clock;
}

/** What a client sends on after its request is read and thrown away, up to this; then it is no longer read. */
const ignoredBytes = 64 * 1024;
/** A client that sends more is given this long to see its answer. */
const seeMs = 1_000;

/**
 * One connection's life: one request, one answer, the end. No second request is read, so nobody can have more answers
 * made than they take: with Node's own server 60,000 requests in 2 MB, never read, took 467 MB. For the same reason
 * whoever does not take the answer in time is reset: closed, the kernel would keep it for minutes.
 */
export function serveOne({ socket, local, routes, limits, clock }: Exchange): Guest {
  let state: "asking" | "answering" | "leaving" = "asking";
  let received: Buffer = Buffer.alloc(0);
  let ignored = 0;
  let timer = clock.timer(limits.headMs, sendAway);

  function sendAway(): void {
    socket.resetAndDestroy();
  }

  function endIn(milliseconds: number): void {
    timer[Symbol.dispose]();
    timer = clock.timer(milliseconds, sendAway);
  }

  function onData(chunk: Buffer): void {
    if (state === "asking") ask(chunk);
    else ignore(chunk.length);
  }

  function ask(chunk: Buffer): void {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const head = readHead(received);
    if (head === undefined) return;
    received = Buffer.alloc(0);
    socket.pause();
    state = "answering";
    endIn(limits.answerMs);
    if ("refusal" in head) reply(head.refusal, true);
    else void answerTo(head, local, routes).then((answer) => reply(answer, head.method !== "HEAD"));
  }

  function reply(answer: Answer, withBody: boolean): void {
    state = "leaving";
    if (socket.destroyed) return;
    socket.cork();
    socket.write(headOf(answer));
    if (withBody) socket.write(answer.body);
    socket.end();
    // A client is seen to close only where it is read; and closed with unread input, TCP would reset the answer too.
    socket.resume();
  }

  function ignore(bytes: number): void {
    ignored += bytes;
    if (ignored <= ignoredBytes) return;
    socket.pause();
    endIn(seeMs);
  }

  socket.on("data", onData);
  socket.on("end", () => {
    if (state === "asking") socket.destroy();
  });
  // 'close' follows, and there is nobody to tell.
  socket.on("error", () => {});
  socket.once("close", () => timer[Symbol.dispose]());
  socket.resume();
  return { answering: () => state === "answering", sendAway };
}

async function answerTo({ method, path, accept }: Head, local: boolean, routes: Routes): Promise<Answer> {
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "only GET and HEAD\n" };
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return { status: 404, body: `not found; there are ${Object.keys(routes).join(", ")}\n` };
  const acceptsJson = accept.includes("application/json");
  try {
    return await route({ local, acceptsJson, acceptsOpenMetrics: accept.includes("application/openmetrics-text") });
  } catch (cause) {
    return { status: 500, body: `${cause instanceof Error ? cause.message : String(cause)}\n` };
  }
}

const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

function headOf({ status, body, contentType = "text/plain; charset=utf-8" }: Answer): string {
  const lines = [
    `HTTP/1.1 ${status} ${reasons[status] ?? ""}`,
    `Date: ${new Date().toUTCString()}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    ...(status === 405 ? ["Allow: GET, HEAD"] : []),
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}
