import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";

/** Where to listen; without a host: everywhere, IPv6 and IPv4. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/** What a path answers. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

/** What a path is asked. */
export interface Question {
  /** The client is on this node: it came by a loopback address, or from the very address that it came to. */
  readonly local: boolean;
  readonly acceptsJson: boolean;
  readonly acceptsOpenMetrics: boolean;
}

export type Routes = Readonly<Record<string, (question: Question) => Answer | Promise<Answer>>>;

export interface HttpServer extends AsyncDisposable {
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
}

/** The address cannot be had; the message names it and says what to do. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Serves GET and HEAD of a few paths. Rejects with `ListenError`. */
export async function startServer(address: ListenAddress, routes: Routes): Promise<HttpServer> {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 30_000, maxHeaderSize: 8 * 1024 },
    listenerOf(routes),
  );
  // A stranger must not use up the agent's memory by holding connections open.
  server.maxConnections = 64;
  await listen(server, address).catch((cause: unknown) => {
    const canDoWithoutIPv6 = address.host === undefined && codeOf(cause) === "EAFNOSUPPORT";
    return canDoWithoutIPv6 ? listen(server, { ...address, host: "0.0.0.0" }) : Promise.reject(cause);
  });
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : address.port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listenerOf(routes: Routes): RequestListener {
  return (request, response) => {
    void answer(request.method ?? "GET", request.url ?? "/", routes, questionOf(request))
      .catch(
        (cause: unknown): Answer => ({
          status: 500,
          body: `${cause instanceof Error ? cause.message : String(cause)}\n`,
        }),
      )
      .then(({ status, body, contentType = "text/plain; charset=utf-8" }) => {
        response.writeHead(status, {
          "content-type": contentType,
          "content-length": Buffer.byteLength(body),
          ...(status === 405 && { allow: "GET, HEAD" }),
        });
        response.end(request.method === "HEAD" ? undefined : body);
      });
  };
}

function questionOf({ socket, headers }: IncomingMessage): Question {
  const plain = (address = "") => address.replace(/^::ffff:/, "");
  const client = plain(socket.remoteAddress);
  const local =
    client === "::1" || client.startsWith("127.") || (client !== "" && client === plain(socket.localAddress));
  const accepts = (type: string) => (headers.accept ?? "").includes(type);
  return {
    local,
    acceptsJson: accepts("application/json"),
    acceptsOpenMetrics: accepts("application/openmetrics-text"),
  };
}

async function answer(method: string, url: string, routes: Routes, question: Question): Promise<Answer> {
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "only GET and HEAD\n" };
  const path = url.split("?", 1)[0] ?? "/";
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  return route === undefined
    ? { status: 404, body: `not found; there are ${Object.keys(routes).join(", ")}\n` }
    : route(question);
}

async function listen(server: Server, { host, port }: ListenAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: host ?? "::", port, exclusive: true }, resolve);
  try {
    await promise;
  } catch (cause) {
    if (codeOf(cause) === "EAFNOSUPPORT" && host === undefined) throw cause;
    throw new ListenError(explain(`${host ?? ""}:${port}`, codeOf(cause), cause), { cause });
  } finally {
    server.off("error", reject);
  }
}

function explain(address: string, code: string, cause: unknown): string {
  const set = "set --metrics-address to a free one, or to an empty value for none";
  if (code === "EADDRINUSE") return `--metrics-address ${address} is taken by another process (see: ss -ltnp); ${set}`;
  if (code === "EACCES")
    return `--metrics-address ${address} may not be used: ports below 1024 need NET_BIND_SERVICE; ${set}`;
  if (code === "EADDRNOTAVAIL") return `--metrics-address ${address} is no address of this node; ${set}`;
  return `--metrics-address ${address} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}; ${set}`;
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}
