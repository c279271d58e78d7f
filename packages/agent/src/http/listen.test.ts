import { connect, createServer, type Server } from "node:net";
import { expect, test } from "vitest";
import { ListenError, listen } from "./listen.ts";

/** What a listener says to who connects at the host. */
function askAt(host: string, port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = "";
  connect({ host, port })
    .on("data", (chunk) => {
      text += String(chunk);
    })
    .on("error", reject)
    .on("close", () => resolve(text));
  return promise;
}

const greet = (word: string) => (socket: { end(text: string): void }) => socket.end(word);

async function occupy(options: { readonly host: string; readonly port: number; readonly reusePort?: boolean }) {
  const server: Server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen({ exclusive: true, ...options }, resolve);
  await promise;
  return server;
}

test.each([undefined, "::", "0.0.0.0"])(
  "everywhere, said as %s, has a queue of its own for 127.0.0.1",
  async (host) => {
    const listening = await listen({ host, port: 0 }, greet("agent"));
    expect(listening.ownLoopback).toBe(true);
    expect(await askAt("127.0.0.1", listening.port)).toBe("agent");
    expect(await askAt("127.0.0.2", listening.port)).toBe("agent");
    listening.close();
    // All of it is free again.
    (await occupy({ host: "0.0.0.0", port: listening.port })).close();
  },
);

test.each(["127.0.0.1", "127.0.0.2"])("one address, %s, is listened at, and 127.0.0.1", async (host) => {
  const listening = await listen({ host, port: 0 }, greet("agent"));
  expect(listening.ownLoopback).toBe(true);
  expect(await askAt(host, listening.port)).toBe("agent");
  expect(await askAt("127.0.0.1", listening.port)).toBe("agent");
  await expect(askAt("127.0.0.3", listening.port)).rejects.toThrow("ECONNREFUSED");
  listening.close();
});

test("where 127.0.0.1 is another's, the address that was asked for is served without it", async () => {
  const other = await occupy({ host: "127.0.0.1", port: 0 });
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const listening = await listen({ host: "127.0.0.2", port }, greet("agent"));
  expect(listening.ownLoopback).toBe(false);
  expect(await askAt("127.0.0.2", port)).toBe("agent");
  listening.close();
  other.close();
});

test.each([
  ["another agent at all addresses", undefined],
  ["another agent at one address", "127.0.0.1"],
])("%s is told that the port is taken, although it could be shared", async (_, host) => {
  const listening = await listen({ host: undefined, port: 0 }, greet("agent"));
  const second = await listen({ host, port: listening.port }, greet("second")).catch((error: unknown) => error);
  expect(second).toBeInstanceOf(ListenError);
  expect(String(second)).toContain(`--metrics-address ${host ?? ""}:${listening.port} is taken by another process`);
  listening.close();
});

test.each([
  ["at 127.0.0.1", "127.0.0.1", false],
  ["at 127.0.0.1, ready to share", "127.0.0.1", true],
  ["everywhere, ready to share", "::", true],
])("a port that a process has %s is taken", async (_, host, reusePort) => {
  const other = await occupy({ host, port: 0, reusePort });
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await expect(listen({ host: undefined, port }, greet("agent"))).rejects.toThrow("is taken by another process");
  other.close();
});
