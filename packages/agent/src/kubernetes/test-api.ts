import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "@ip-masq-agent/core";
import { type Api, createApi } from "./api.ts";

/** A request as it came. */
export interface Asking {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly response: ServerResponse;
}

/** An API server that a test makes up: what it answers is the test's. */
export interface TestApi extends AsyncDisposable {
  readonly api: Api;
  readonly asked: readonly Asking[];
  /** Every connection is cut. */
  breakOff(): void;
  /** Connections that are open. */
  open(): Promise<number>;
}

export async function openTestApi(answer: (asking: Asking) => void): Promise<TestApi> {
  const asked: Asking[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://api");
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const body: unknown = text === "" ? undefined : JSON.parse(text);
      const asking = { method: request.method ?? "", path: url.pathname, query: url.searchParams, body, response };
      asked.push(asking);
      answer(asking);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    api: createApi(async () => ({ server: `http://127.0.0.1:${port}`, options: async () => ({}), remedy: "" })),
    asked,
    breakOff: () => server.closeAllConnections(),
    open: () => new Promise((resolve, reject) => server.getConnections((e, n) => (e ? reject(e) : resolve(n)))),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

export function json(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** The machine's clock, but what is to wait waits a fiftieth of its time. */
export function hurried(): Clock & { pending(): number } {
  let pending = 0;
  return {
    monotonic: () => performance.now() * 50,
    wall: () => Date.now(),
    pending: () => pending,
    timer(milliseconds, callback) {
      pending++;
      let open = true;
      const end = () => {
        if (open) pending--;
        open = false;
      };
      const timeout = setTimeout(() => {
        end();
        callback();
      }, milliseconds / 50);
      return {
        [Symbol.dispose]() {
          end();
          clearTimeout(timeout);
        },
      };
    },
  };
}

export function configMapObject(version: number, data: Readonly<Record<string, string>>): object {
  return { metadata: { name: "ip-masq-agent", resourceVersion: `${version}` }, data };
}
