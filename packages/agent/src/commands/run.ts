import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type Family, families, systemClock } from "@ip-masq-agent/core";
import type { Options } from "../flags/flag.ts";
import { type ListenAddress, ListenError } from "../http/listen.ts";
import { routesOf } from "../http/routes.ts";
import { serveWhenPossible } from "../http/serve-when-possible.ts";
import { startServer } from "../http/server.ts";
import { nodeNameOf } from "../kubernetes/node-name.ts";
import { createLifecycle } from "../lifecycle.ts";
import { createLogger } from "../log.ts";
import { createMetrics } from "../metrics/metrics.ts";
import { type Agent, createAgent } from "../running/agent.ts";
import { describeInstance, type Instance } from "../running/instance.ts";
import { type InstanceLock, lockName, openInstanceLock } from "../running/instance-lock.ts";
import { askHolder } from "../running/lock-holder.ts";
import { pagesOf } from "../status/pages.ts";
import { build } from "../version.ts";

/** The agent's main job: config in, rules in the kernel, kept so until told to stop. */
export async function run(
  options: Options,
  given: ReadonlyMap<string, string>,
  ignoredFlags: readonly string[],
): Promise<number> {
  const logger = createLogger({ format: options.logFormat, verbosity: options.v });
  await using lifecycle = createLifecycle();
  let agent: Agent | undefined;
  const enabled: readonly Family[] = options.enableIPv6 ? families : ["IPv4"];
  const metrics = createMetrics(build, enabled, systemClock);
  // Before all else, so that it never ends the agent; one pass is over soon, and is ended by it as any command is.
  if (!options.once) lifecycle.onHangup(() => agent?.readAndCompareNow());
  logger.info({ ...build, backend: options.backend, config: options.config }, "ip-masq-agent starts");
  if (ignoredFlags.length > 0)
    logger.info({ flags: ignoredFlags }, "klog flags without effect here; use --v and --log-format");
  if ((options.events || options.exemptPodCidrs) && nodeNameOf(options) === undefined) {
    const flag = options.events ? "--events" : "--exempt-pod-cidrs";
    logger.error(`${flag} needs this node's name in Kubernetes; set --node-name, or NODE_NAME in the environment`);
    return 2;
  }
  const self = (): Instance => instanceOf(agent?.status().config.hash);
  if (options.once) {
    const other = await askHolder(lockName, undefined, lifecycle.signal);
    if (other.kind === "agent") {
      other.leave();
      const who = describeInstance(other.instance);
      logger.error(
        { other: other.instance },
        `another ip-masq-agent (${who}) keeps the rules of this node, and would undo what --once writes; nothing was written; stop it first, or change its config`,
      );
      return 1;
    }
  }
  // Taken before anything is written, and given back when all else has ended.
  const lock = options.once
    ? undefined
    : lifecycle.use(await openInstanceLock({ clock: systemClock, logger, signal: lifecycle.signal, self }));
  const running = createAgent({
    ...{ options, enabled, metrics, logger, lifecycle, clock: systemClock },
    ...(lock && { lock }),
  });
  agent = running;

  async function serve(address: ListenAddress): Promise<void> {
    const routes = { ...routesOf(metrics, running, systemClock), ...pagesOf({ ...running, given }) };
    const start = () => startServer(address, routes, systemClock);
    lifecycle.use(await serveWhenPossible({ clock: systemClock, logger, start }));
  }

  try {
    if (options.metricsAddress !== undefined && lock !== undefined)
      await serveWhenFree(options.metricsAddress, lock, lifecycle.signal, serve);
    return await running.run();
  } catch (error) {
    if (error instanceof ListenError) {
      logger.error(error.message);
      return 1;
    }
    throw error;
  }
}

/** The port of an agent that has just ended is free within this time. */
const freeWithinMs = 5_000;

/**
 * Serves at once where the port is free. While another agent has the lock it has mostly the port as well: then probes are
 * answered by that one, and we serve when it has ended. Rejects with `ListenError` where the port is another program's.
 */
async function serveWhenFree(
  address: ListenAddress,
  lock: InstanceLock,
  signal: AbortSignal,
  serve: (address: ListenAddress) => Promise<void>,
): Promise<void> {
  if (lock.holder() === undefined) return serve(address);
  try {
    return await serve(address);
  } catch (error) {
    if (!isTaken(error)) throw error;
  }
  await lock.acquired;
  const until = systemClock.monotonic() + freeWithinMs;
  while (!signal.aborted) {
    try {
      return await serve(address);
    } catch (error) {
      if (!isTaken(error) || systemClock.monotonic() > until) throw error;
    }
    await sleep(50);
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof ListenError && (error.cause as NodeJS.ErrnoException | undefined)?.code === "EADDRINUSE";
}

function instanceOf(policy: string | undefined): Instance {
  const pod = process.env["POD_NAME"];
  return {
    ...{ pid: process.pid, version: build.version, host: hostname() },
    ...(pod !== undefined && { pod }),
    ...(policy !== undefined && { policy }),
  };
}
