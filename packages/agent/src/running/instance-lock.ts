import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "@ip-masq-agent/core";
import type { Logger } from "pino";
import { describeInstance, type Instance, instanceIn, instanceLine } from "./instance.ts";
import { askHolder } from "./lock-holder.ts";

/**
 * The right to write the rules of this network namespace: one agent has it, another one waits for its end. It is the name
 * of an abstract unix socket, which belongs to a network namespace exactly as the rules do, and which the kernel frees
 * when the process ends, also by SIGKILL. The name is the same whatever the backend and `--masq-chain` are.
 */
export interface InstanceLock extends AsyncDisposable {
  /** Resolves when it is ours, or when the signal says to stop. */
  readonly acquired: Promise<void>;
  /** Who has it, in words; undefined: we do. */
  holder(): string | undefined;
}

export const lockName: string = "\0ip-masq-agent/rules";

export interface InstanceLockOptions {
  /** Default: `lockName`. */
  readonly name?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** How long the holder may take to say who it is, milliseconds. Default 10,000. */
  readonly answerMs?: number;
  /** What we say of ourselves. */
  self(): Instance;
}

/** Between two tries where nobody can be asked, milliseconds. */
const againMs = { first: 10, most: 1_000 } as const;
/** Waiting agents that can be connected at a time. */
const mostWaiting = 16;
/** Between two log lines about others that wait. */
const tellMs = 60_000;

/** Tries once, and goes on trying where another agent has it. Never rejects: without a lock the agent still works. */
export async function openInstanceLock(options: InstanceLockOptions): Promise<InstanceLock> {
  const { clock, logger, self, name = lockName } = options;
  const closing = new AbortController();
  const signal = AbortSignal.any([options.signal, closing.signal]);
  const sockets = new Set<Socket>();
  const { promise: acquired, resolve: onAcquired } = Promise.withResolvers<void>();
  let server: Server | undefined;
  let holder: string | undefined;
  let lastTold = Number.NEGATIVE_INFINITY;

  function onWaiting(line: string): void {
    const instance = instanceIn(line);
    if (instance === undefined || clock.monotonic() - lastTold < tellMs) return;
    lastTold = clock.monotonic();
    const who = describeInstance(instance);
    logger.warn(
      { other: instance },
      `another ip-masq-agent (${who}) was started on this node and waits; stop one of them`,
    );
  }

  function onConnection(socket: Socket): void {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let said = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      if (said.includes("\n") || said.length > 1_024) return;
      said += text;
      if (said.includes("\n")) onWaiting(said);
    });
    socket.write(instanceLine(self()));
  }

  /** `ours`: we have it, or do without; `gone` resolves when the agent that has it ends; `again`: nobody answered. */
  async function attempt(): Promise<"ours" | { readonly gone: Promise<void> } | "again"> {
    const listening = await listen(name, onConnection);
    if (typeof listening === "object") {
      server = listening;
      return "ours";
    }
    if (listening !== "EADDRINUSE") {
      logger.warn({ code: listening }, "whether another ip-masq-agent runs on this node cannot be told; going on");
      return "ours";
    }
    const answer = await askHolder(name, instanceLine(self()), signal, options.answerMs);
    if (answer.kind === "gone") return "again";
    if (answer.kind === "silent") {
      const remedy = "find it in /proc/net/unix as @ip-masq-agent/rules";
      logger.warn(
        `the lock of ip-masq-agent is held by a process that does not answer; going on without it; ${remedy}`,
      );
      return "ours";
    }
    tellHolder(describeInstance(answer.instance));
    return answer;
  }

  function tellHolder(who: string): void {
    if (who !== holder)
      logger.error(
        `another ip-masq-agent (${who}) keeps the rules of this node; this one writes nothing and waits until it has ended; stop one of them`,
      );
    holder = who;
  }

  async function acquire(onFirst: () => void): Promise<void> {
    let waitMs: number = againMs.first;
    while (!signal.aborted) {
      const result = await attempt();
      if (result === "ours") break;
      if (result === "again") {
        // The name is taken, and yet nobody answers: too many are connected to it.
        if (waitMs === againMs.most) {
          tellHolder("which takes no further connection");
          onFirst();
        }
        await pause(waitMs, clock, signal);
        waitMs = Math.min(2 * waitMs, againMs.most);
        continue;
      }
      onFirst();
      await result.gone;
      waitMs = againMs.first;
    }
    if (holder !== undefined && !signal.aborted) logger.info("the other ip-masq-agent has ended; this one takes over");
    holder = undefined;
    onFirst();
    onAcquired();
  }

  const { promise: first, resolve: onFirst } = Promise.withResolvers<void>();
  const acquiring = acquire(onFirst);
  await first;
  return {
    acquired,
    holder: () => holder,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await acquiring;
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
    },
  };
}

/** The server that has the name, or why there is none. */
async function listen(name: string, onConnection: (socket: Socket) => void): Promise<Server | string> {
  const server = createServer(onConnection);
  server.maxConnections = mostWaiting;
  const { promise, resolve } = Promise.withResolvers<Server | string>();
  server.on("error", (error) => resolve("code" in error ? String(error.code) : error.message));
  server.listen(name, () => resolve(server));
  return promise;
}

async function pause(milliseconds: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _timer = clock.timer(milliseconds, resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}
