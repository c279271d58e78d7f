import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { createInterface } from "node:readline";
import { ApiError, type Asked, refusedBy, unreachable } from "./api-error.ts";
import type { Credentials } from "./credentials.ts";

/** A request for one answer. */
export interface Call {
  readonly asked: Asked;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly method?: "GET" | "POST" | "PATCH";
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** A request for an answer without an end. */
export interface Stream extends Call {
  onOpen(): void;
  /** One JSON object a line. What this throws ends the stream. */
  onLine(value: unknown): void;
  /** Silence after which the connection counts as dead, milliseconds. */
  readonly silenceMs: number;
}

/** Kubernetes' API, as little of it as is needed. Rejects with `ApiError`; with the signal's reason where aborted. */
export interface Api {
  call(call: Call): Promise<unknown>;
  /** Resolves when the API server ends it. */
  stream(stream: Stream): Promise<void>;
}

/** Until an answer has begun, and between its parts. */
const answerMs = 10_000;
/** A ConfigMap has 1 MiB at most; with what servers add about it, twice as much. */
const largestAnswer = 8 * 1024 * 1024;

/**
 * Kubernetes' own client for Node brings the credentials; the requests are ours, because its Watch gives up after 30 s
 * of silence (bookmarks come once a minute) and drops the body of a refusal, which is what names the missing right.
 */
export function createApi(load: () => Promise<Credentials>): Api {
  let loaded: Promise<Credentials> | undefined;

  async function send(call: Call): Promise<{ response: IncomingMessage; request: ClientRequest; server: string }> {
    loaded ??= load();
    let credentials: Credentials;
    try {
      credentials = await inTime(loaded, call.signal);
    } catch (cause) {
      loaded = undefined;
      if (call.signal.aborted) throw call.signal.reason;
      throw new ApiError("unauthorized", `there are no credentials for the API: ${messageOf(cause)}`, { cause });
    }
    const { server } = credentials;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const options = await inTime(credentials.options(), call.signal).catch((cause: unknown) => {
      loaded = undefined;
      if (call.signal.aborted) throw call.signal.reason;
      const message = `the credentials for the API cannot be read: ${messageOf(cause)}; ${credentials.remedy}`;
      throw new ApiError("unauthorized", message, { cause });
    });
    const url = new URL(server + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const type = call.method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const request = (url.protocol === "http:" ? httpRequest : httpsRequest)(
      url,
      {
        ...options,
        method: call.method ?? "GET",
        signal: call.signal,
        timeout: answerMs,
        headers: {
          ...options.headers,
          accept: "application/json",
          "user-agent": "ip-masq-agent",
          ...(body !== undefined && { "content-type": type, "content-length": Buffer.byteLength(body) }),
        },
      },
      resolve,
    );
    request.setSocketKeepAlive(true, 30_000);
    request.on("timeout", () => request.destroy(new Error(`no answer in ${answerMs / 1000} s`)));
    request.on("error", reject);
    request.end(body);
    const response = await promise.catch((cause: unknown) => {
      throw failed(call, server, cause);
    });
    if (response.statusCode !== undefined && response.statusCode >= 200 && response.statusCode < 300)
      return { response, request, server };
    // A token that was replaced, or an authority that was, is read from its file only by credentials loaded anew.
    if (response.statusCode === 401) loaded = undefined;
    const text = await textOf(response).catch(() => "");
    throw refusedBy(call.asked, response.statusCode ?? 0, statusMessage(text), retryAfter(response));
  }

  function failed(call: Call, server: string, cause: unknown): unknown {
    if (call.signal.aborted) return call.signal.reason;
    if (isTls(cause)) loaded = undefined;
    return unreachable(call.asked, server, cause);
  }

  return {
    async call(call) {
      const { response, server } = await send(call);
      const text = await textOf(response).catch((cause: unknown) => {
        throw failed(call, server, cause);
      });
      return parse(text, call.asked, server);
    },
    async stream(stream) {
      const { response, request, server } = await send(stream);
      request.removeAllListeners("timeout");
      request.setTimeout(stream.silenceMs);
      request.on("timeout", () => response.destroy(new Error(`nothing for ${stream.silenceMs / 1000} s`)));
      stream.onOpen();
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size = chunk.includes(10) ? 0 : size + chunk.byteLength;
        if (size > largestAnswer) response.destroy(new Error(`a line of more than ${largestAnswer} bytes`));
      });
      const lines = createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY });
      const broken = new Promise<never>((_, reject) => response.on("error", reject));
      const reading = (async () => {
        for await (const line of lines) if (line !== "") stream.onLine(parse(line, stream.asked, server));
      })();
      // Of the two, the one that comes second finds nobody waiting.
      for (const one of [broken, reading]) one.catch(() => {});
      try {
        await Promise.race([reading, broken]);
        if (!response.complete) throw new Error("the connection was closed");
      } catch (cause) {
        throw cause instanceof ApiError ? cause : failed(stream, server, cause);
      } finally {
        lines.close();
        response.destroy();
      }
    },
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.byteLength;
    if (size > largestAnswer) throw new Error(`an answer of more than ${largestAnswer} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string, asked: Asked, server: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreachable(asked, server, new Error("what came is no JSON", { cause }));
  }
}

/** The message of a Status object; what is none (a proxy's page) is not worth repeating. */
function statusMessage(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === "object" && status !== null && "message" in status) return String(status.message);
  } catch {
    // No Status object: the HTTP code must do.
  }
  return "";
}

function retryAfter({ headers }: IncomingMessage): number | undefined {
  const seconds = Number(headers["retry-after"] ?? Number.NaN);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 60) : undefined;
}

function isTls(cause: unknown): boolean {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return /CERT|TLS|SSL|SIGNATURE/.test(code);
}

/** In one line: a plugin for credentials may say several. */
function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).trim().replaceAll(/\s+/g, " ");
}

/** A plugin for credentials may hang: nobody waits for it longer than for the API server. */
async function inTime<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`they did not come in ${answerMs / 1000} s`)), answerMs);
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
