import { type Clock, shortageOf } from "@ip-masq-agent/core";
import type { Logger } from "pino";
import { ListenError } from "./listen.ts";
import type { HttpServer } from "./server.ts";

export interface ServeOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Rejects with `ListenError`. */
  start(): Promise<HttpServer>;
}

const againMs = 5_000;

/**
 * Starts the server. An address that cannot be had rejects with `ListenError`: that is a mistake in a flag. A limit of
 * descriptors is none: rules come first, and the server is tried again until the limit has been raised.
 */
export async function serveWhenPossible({ clock, logger, start }: ServeOptions): Promise<AsyncDisposable> {
  let server: HttpServer | undefined;
  let timer: Disposable | undefined;
  let trying: Promise<void> | undefined;
  let told = false;
  let closed = false;

  async function attempt(): Promise<void> {
    try {
      const started = await start();
      if (closed) return await started[Symbol.asyncDispose]();
      server = started;
      logger.info(
        { port: started.port, ownLoopback: started.ownLoopback },
        "serving /metrics, /healthz, /readyz, and /statusz, /configz, /flagz for this node",
      );
    } catch (error) {
      const short = error instanceof ListenError ? shortageOf(error.message) : undefined;
      if (short === undefined) throw error;
      if (!told)
        logger.error(`/metrics and /healthz cannot be served: ${short}; tried again every ${againMs / 1000} s`);
      told = true;
      if (!closed) timer = clock.timer(againMs, again);
    }
  }

  /** The address was free the last time; should another process have taken it meanwhile, that is said, and no more. */
  function again(): void {
    trying = attempt().catch((error: unknown) => {
      logger.error({ err: error }, "/metrics and /healthz cannot be served");
    });
  }

  await attempt();
  return {
    async [Symbol.asyncDispose]() {
      closed = true;
      timer?.[Symbol.dispose]();
      await trying;
      await server?.[Symbol.asyncDispose]();
    },
  };
}
