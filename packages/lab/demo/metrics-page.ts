import { createConnection, createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { startServer } from "../src/server.ts";

/** The agent's metrics page, opened to this machine's own loopback for as long as the demo runs. */
export interface MetricsPage extends AsyncDisposable {
  readonly address: string;
}

/** Leads 127.0.0.1 here to `port` on the node, by way of a socket in `directory`. Prefers the same port number. */
export async function openMetricsPage(
  launcher: readonly string[],
  directory: string,
  port: number,
): Promise<MetricsPage> {
  const path = `${directory}/metrics.sock`;
  const script = fileURLToPath(new URL("relay.ts", import.meta.url));
  await using stack = new AsyncDisposableStack();
  const relay = stack.use(startServer([...launcher, process.execPath, script, path, `${port}`]));
  await relay.ready(async () => relay.output().includes("ready\n"));
  const server = createServer((client) => {
    const inside = createConnection(path);
    client.pipe(inside).pipe(client);
    for (const socket of [client, inside]) socket.on("error", () => socket.destroy());
  });
  const bound = await listen(server, port).catch(() => listen(server, 0));
  stack.defer(() => void server.close());
  const resources = stack.move();
  return {
    address: `http://127.0.0.1:${bound}/metrics`,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function listen(server: Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, "127.0.0.1", resolve);
  await promise.finally(() => server.off("error", reject));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
