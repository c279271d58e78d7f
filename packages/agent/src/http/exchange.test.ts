import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { systemClock } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import type { Routes } from "./answer.ts";
import { type HttpServer, type ServerLimits, serverLimits, startServer } from "./server.ts";

const request = "GET /ok HTTP/1.1\r\nHost: n\r\n\r\n";
const large = Buffer.alloc(32 * 1024 * 1024, "x");

/** How often each path was asked, and a server for it. */
async function serve(limits: Partial<ServerLimits> = {}) {
  const asked: string[] = [];
  const never = Promise.withResolvers<never>();
  const routes: Routes = {
    "/ok": () => {
      asked.push("ok");
      return { status: 200, body: "ok\n" };
    },
    "/large": () => ({ status: 200, body: large }),
    "/never": () => {
      asked.push("never");
      return never.promise;
    },
    "/broken": () => Promise.reject(new Error("no page today")),
  };
  const address = { host: "127.0.0.1", port: 0 };
  const server = await startServer(address, routes, systemClock, { ...serverLimits, ...limits });
  return { server, asked };
}

interface Talk {
  readonly socket: Socket;
  /** All that the server sent, and how the connection ended. */
  readonly end: Promise<{ readonly text: string; readonly error: string; readonly afterMs: number }>;
}

function talk({ port }: HttpServer, ...parts: readonly (string | Buffer)[]): Talk {
  const started = performance.now();
  const socket = connect({ port, host: "127.0.0.1" });
  let text = "";
  let error = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", (cause) => {
    error = "code" in cause ? String(cause.code) : cause.message;
  });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  const end = closed.then(() => ({ text, error, afterMs: performance.now() - started }));
  for (const part of parts) socket.write(part);
  return { socket, end };
}

describe("one request, one answer, the end", () => {
  test("of a thousand requests in one go one is answered", async () => {
    const { server, asked } = await serve();
    await using _server = server;
    const { text } = await talk(server, request.repeat(1_000)).end;
    expect(text.match(/HTTP\/1\.1/g)).toEqual(["HTTP/1.1"]);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n\r\nok\n$/s);
    expect(asked).toEqual(["ok"]);
  });

  test("a client that closes its side after the question has its answer", async () => {
    const { server } = await serve();
    await using _server = server;
    const { socket, end } = talk(server);
    socket.end(request);
    expect((await end).text).toContain("200 OK");
  });

  test("a head that comes in single bytes is one", async () => {
    const { server } = await serve();
    await using _server = server;
    const { socket, end } = talk(server);
    socket.setNoDelay(true);
    for (const byte of request) {
      socket.write(byte);
      await new Promise(setImmediate);
    }
    expect((await end).text).toContain("200 OK");
  });

  test.each([
    ["a body that is told", "POST /ok HTTP/1.1\r\nHost: n\r\nContent-Length: 1000000000\r\n\r\n"],
    ["a body in chunks", "POST /ok HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"],
  ])("%s is not read: 405", async (_, head) => {
    const { server, asked } = await serve();
    await using _server = server;
    const { socket, end } = talk(server, head);
    const body = Buffer.alloc(1024 * 1024);
    for (let megabyte = 0; megabyte < 8; megabyte++) socket.write(body);
    await once(socket, "data");
    socket.destroy();
    const { text } = await end;
    expect(text).toContain("HTTP/1.1 405 Method Not Allowed");
    expect(text).toContain("\r\nAllow: GET, HEAD\r\n");
    expect(asked).toEqual([]);
  });

  test.each([
    [
      "an upgrade is not taken",
      "GET /ok HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      200,
    ],
    ["h2c is not taken", "GET /ok HTTP/1.1\r\nHost: n\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n", 200],
    ["CONNECT", "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405],
    ["HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00", 400],
    ["a head of 9 KiB", `GET /ok HTTP/1.1\r\nHost: n\r\nX: ${"a".repeat(9 * 1024)}\r\n\r\n`, 431],
    ["a route that fails", "GET /broken HTTP/1.1\r\nHost: n\r\n\r\n", 500],
  ])("%s", async (_, text, status) => {
    const { server } = await serve();
    await using _server = server;
    expect((await talk(server, Buffer.from(text, "latin1")).end).text).toContain(`HTTP/1.1 ${status} `);
  });
});

describe("time is limited", () => {
  const limits = { headMs: 200, answerMs: 300 };

  test.each([
    ["who says nothing", ""],
    ["who does not come to an end", "GET /ok HTTP/1.1\r\nHost: n\r\nX: "],
  ])("for %s", async (_, text) => {
    const { server } = await serve(limits);
    await using _server = server;
    const { socket, end } = talk(server, text);
    const more = setInterval(() => socket.write("a"), 20);
    const { afterMs } = await end;
    clearInterval(more);
    expect(afterMs).toBeGreaterThan(150);
    expect(afterMs).toBeLessThan(2_000);
  });

  test("for who does not take the answer: reset, nothing of it stays in the kernel", async () => {
    const { server } = await serve(limits);
    await using _server = server;
    const { socket, end } = talk(server, "GET /large HTTP/1.1\r\nHost: n\r\n\r\n");
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 600));
    socket.resume();
    const { text, error } = await end;
    expect(error).toBe("ECONNRESET");
    expect(text.length).toBeLessThan(large.length);
  });

  test("for who has the answer and does not close", async () => {
    const { server } = await serve(limits);
    await using _server = server;
    const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("data", () => {}).write(request);
    await once(socket, "end");
    const failed = Promise.withResolvers<Error>();
    socket.once("error", failed.resolve);
    await new Promise((resolve) => setTimeout(resolve, 600));
    socket.write("I am still here");
    expect(await failed.promise).toMatchObject({ code: expect.stringMatching(/^(EPIPE|ECONNRESET)$/) });
  });

  test("and large answers are taken whole by who reads", async () => {
    const { server } = await serve();
    await using _server = server;
    const { text } = await talk(server, "GET /large HTTP/1.1\r\nHost: n\r\n\r\n").end;
    expect(text.length - text.indexOf("\r\n\r\n") - 4).toBe(large.length);
  });
});

describe("places are limited", () => {
  test("an idle connection makes way; where all are being answered, the next is reset after a while", async () => {
    const { server, asked } = await serve({ local: 1, refusedMs: 300 });
    await using _server = server;
    const idle = talk(server);
    await once(idle.socket, "connect");
    const hanging = talk(server, "GET /never HTTP/1.1\r\nHost: n\r\n\r\n");
    expect((await idle.end).error).toBe("ECONNRESET");
    await expect.poll(() => asked).toEqual(["never"]);
    const { error, afterMs, text } = await talk(server, request).end;
    expect({ error, text }).toEqual({ error: "ECONNRESET", text: "" });
    expect(afterMs).toBeGreaterThan(250);
    expect(asked).toEqual(["never"]);
    hanging.socket.destroy();
  });

  test("of those that are refused so many are held, and the others reset at once", async () => {
    const { server, asked } = await serve({ local: 1, refused: 1, refusedMs: 1_000 });
    await using _server = server;
    const { socket } = talk(server, "GET /never HTTP/1.1\r\nHost: n\r\n\r\n");
    await expect.poll(() => asked).toEqual(["never"]);
    const first = talk(server);
    await once(first.socket, "connect");
    const { afterMs } = await talk(server).end;
    expect(afterMs).toBeLessThan(500);
    expect((await first.end).afterMs).toBeGreaterThan(900);
    socket.destroy();
  });
});
