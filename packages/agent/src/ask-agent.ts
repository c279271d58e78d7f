import { request } from "node:http";
import type { ListenAddress } from "./http/listen.ts";
import type { Status } from "./status/status.ts";

/** What the agent on this node says of itself, or why there is no answer. */
export type AgentAnswer<T> = { readonly answer: T } | { readonly problem: string };

const limitMs = 5_000;

/** Where an agent that listens at this address is asked, on its own node. */
export function placeOf({ host = "127.0.0.1", port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Asks the agent on this node for its state, where --metrics-address says that it listens. */
export function askAgent(address: ListenAddress | undefined): Promise<AgentAnswer<Status>> {
  return askPage(address, "/statusz", (page) => (page["kind"] === "Statusz" ? (page as unknown as Status) : undefined));
}

/** The agent's flags, defaults too, by name; and the names of those that it was given. */
export interface AgentFlags {
  readonly values: ReadonlyMap<string, string>;
  readonly given: ReadonlySet<string>;
}

/** Asks the agent on this node for its flags. */
export function askFlags(address: ListenAddress | undefined): Promise<AgentAnswer<AgentFlags>> {
  return askPage(address, "/flagz", ({ kind, flags, given }) =>
    kind === "Flagz" && typeof flags === "object" && flags !== null
      ? {
          values: new Map(Object.entries(flags).map(([name, value]) => [name, String(value)])),
          given: new Set(Array.isArray(given) ? given.map(String) : []),
        }
      : undefined,
  );
}

async function askPage<T>(
  address: ListenAddress | undefined,
  path: string,
  read: (page: Readonly<Record<string, unknown>>) => T | undefined,
): Promise<AgentAnswer<T>> {
  if (address === undefined) return { problem: "--metrics-address is empty, so the agent cannot be asked" };
  const host = address.host ?? "127.0.0.1";
  const place = placeOf(address);
  const { promise, resolve } = Promise.withResolvers<AgentAnswer<T>>();
  const question = request(
    { host, port: address.port, path, headers: { accept: "application/json" }, timeout: limitMs },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", () => resolve({ problem: `${place} broke off its answer` }));
      response.on("end", () => {
        const answer = response.statusCode === 200 ? read(recordIn(Buffer.concat(chunks).toString())) : undefined;
        const strange = `what answers at ${place} is no ip-masq-agent of this kind (HTTP ${response.statusCode})`;
        resolve(answer === undefined ? { problem: strange } : { answer });
      });
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

/** What is no JSON object is no agent of ours. */
function recordIn(body: string): Readonly<Record<string, unknown>> {
  try {
    const page: unknown = JSON.parse(body);
    return typeof page === "object" && page !== null ? (page as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
