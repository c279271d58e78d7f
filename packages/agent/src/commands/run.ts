import { type Family, families, systemClock } from "@ip-masq-agent/core";
import type { Options } from "../flags/flag.ts";
import { ListenError } from "../http/listen.ts";
import { routesOf } from "../http/routes.ts";
import { startServer } from "../http/server.ts";
import { nodeNameOf } from "../kubernetes/node-name.ts";
import { createLifecycle } from "../lifecycle.ts";
import { createLogger } from "../log.ts";
import { createMetrics } from "../metrics/metrics.ts";
import { createAgent } from "../running/agent.ts";
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
  const enabled: readonly Family[] = options.enableIPv6 ? families : ["IPv4"];
  const metrics = createMetrics(build, enabled, systemClock);
  const agent = createAgent({ options, enabled, metrics, logger, lifecycle });
  logger.info({ ...build, backend: options.backend, config: options.config }, "ip-masq-agent starts");
  if (ignoredFlags.length > 0)
    logger.info({ flags: ignoredFlags }, "klog flags without effect here; use --v and --log-format");
  if ((options.events || options.exemptPodCidrs) && nodeNameOf(options) === undefined) {
    const flag = options.events ? "--events" : "--exempt-pod-cidrs";
    logger.error(`${flag} needs this node's name in Kubernetes; set --node-name, or NODE_NAME in the environment`);
    return 2;
  }
  try {
    if (options.metricsAddress !== undefined && !options.once) {
      const routes = { ...routesOf(metrics, agent, systemClock), ...pagesOf({ ...agent, given }) };
      const server = lifecycle.use(await startServer(options.metricsAddress, routes, systemClock));
      logger.info(
        { port: server.port, ownLoopback: server.ownLoopback },
        "serving /metrics, /healthz, /readyz, and /statusz, /configz, /flagz for this node",
      );
    }
    return await agent.run();
  } catch (error) {
    if (error instanceof ListenError) {
      logger.error(error.message);
      return 1;
    }
    throw error;
  }
}
