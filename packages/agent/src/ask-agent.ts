import { request } from "node:http";
import type { ListenAddress } from "./http/server.ts";
import type { Status } from "./status/status.ts";

/** What the agent on this node says of itself, or why there is no answer. */
export type AgentAnswer = { readonly status: Status } | { readonly problem: string };

const limitMs = 5_000;

/** Asks the agent on this node for its state, where --metrics-address says that it listens. */
export async function askAgent(address: ListenAddress | undefined): Promise<AgentAnswer> {
  if (address === undefined) return { problem: "--metrics-address is empty, so the agent cannot be asked" };
  const host = address.host ?? "127.0.0.1";
  const place = host.includes(":") ? `[${host}]:${address.port}` : `${host}:${address.port}`;
  const { promise, resolve } = Promise.withResolvers<AgentAnswer>();
  const question = request(
    { host, port: address.port, path: "/statusz", headers: { accept: "application/json" }, timeout: limitMs },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", () => resolve({ problem: `${place} broke off its answer` }));
      response.on("end", () => resolve(answerOf(place, response.statusCode ?? 0, Buffer.concat(chunks).toString())));
    },
  );
  question.on("timeout", () => question.destroy(new Error(`no answer in ${limitMs / 1000} s`)));
  question.on("error", (cause) =>
    resolve({
      problem: `no agent answers at ${place} (${cause.message}); is it running, and with this --metrics-address?`,
    }),
  );
  question.end();
  return promise;
}

function answerOf(place: string, code: number, body: string): AgentAnswer {
  if (code === 200) {
    try {
      const status: unknown = JSON.parse(body);
      if (typeof status === "object" && status !== null && "kind" in status && status.kind === "Statusz") {
        return { status: status as Status };
      }
    } catch {
      // What is no JSON is no agent of ours; the next line says so.
    }
  }
  return { problem: `what answers at ${place} is no ip-masq-agent of this kind (HTTP ${code})` };
}
