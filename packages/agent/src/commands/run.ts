import {
  asBackendError,
  type Backend,
  createLoop,
  type Family,
  type Finding,
  families,
  fingerprint,
  formatFinding,
  type Loop,
  systemClock,
} from "@ip-masq-agent/core";
import type { Logger } from "pino";
import { type Choice, chooseBackend } from "../choose.ts";
import { type Desired, interpret } from "../desired.ts";
import type { Options } from "../flags/table.ts";
import { fitConfig } from "../heap.ts";
import { routesOf } from "../http/routes.ts";
import { ListenError, startServer } from "../http/server.ts";
import { createLifecycle, type Lifecycle } from "../lifecycle.ts";
import { createLogger } from "../log.ts";
import { createMetrics, type Metrics } from "../metrics/metrics.ts";
import { createReport } from "../report.ts";
import type { Snapshot } from "../sources/snapshot.ts";
import { watchConfig } from "../sources/watch.ts";
import { build } from "../version.ts";

/** How long before a backend that could not start is tried again, in milliseconds: first and at most. */
const chooseAgainMs = { first: 1_000, cap: 60_000 } as const;

/** The agent's main job: config in, rules in the kernel, kept so until told to stop. */
export async function run(options: Options, ignoredFlags: readonly string[]): Promise<number> {
  const logger = createLogger({ format: options.logFormat, verbosity: options.v });
  await using lifecycle = createLifecycle();
  const enabled: readonly Family[] = options.enableIPv6 ? families : ["IPv4"];
  const metrics = createMetrics(build, enabled, systemClock);
  const agent = createAgent(options, metrics, logger, lifecycle);
  logger.info({ ...build, backend: options.backend, config: options.config }, "ip-masq-agent starts");
  if (ignoredFlags.length > 0)
    logger.info({ flags: ignoredFlags }, "klog flags without effect here; use --v and --log-format");
  try {
    if (options.metricsAddress !== undefined && !options.once) {
      const server = lifecycle.use(await startServer(options.metricsAddress, routesOf(metrics, agent)));
      logger.info({ port: server.port }, "serving /metrics, /healthz and /readyz");
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

interface Agent {
  run(): Promise<number>;
  stalledMs(): number;
  notReady(): string | undefined;
}

function createAgent(options: Options, metrics: Metrics, logger: Logger, lifecycle: Lifecycle): Agent {
  const report = createReport(logger);
  let desired: Desired | undefined;
  let refusal: string | undefined;
  let loop: Loop | undefined;
  let startFailure: string | undefined;

  function take(snapshot: Snapshot, trigger: "start" | "config"): void {
    const { desired: next, findings } = interpret(snapshot, options);
    if (next === undefined) {
      tell(findings);
      refusal = findings.find(({ severity }) => severity === "error")?.reason ?? "the config is not valid";
      metrics.configRefused();
      logger.error(
        desired === undefined
          ? "no valid config yet: the kernel is left as it is"
          : "the config is not valid: the last good one stays in force",
      );
      return;
    }
    const before = desired;
    refusal = undefined;
    desired = next;
    fitConfig(next.config.nonMasqueradeCIDRs.length);
    if (before?.resyncIntervalMs !== next.resyncIntervalMs) loop?.setResyncInterval(next.resyncIntervalMs);
    // First of all: what follows takes milliseconds for a large config, and the tool is at work meanwhile.
    loop?.setPolicy(next.policy, trigger);
    tell(findings);
    const hash = fingerprint(next.policy);
    metrics.configLoaded(next.policy, hash, findings.length);
    logger.info(summaryOf(next, hash, snapshot), "config loaded");
  }

  function tell(findings: readonly Finding[]): void {
    for (const finding of findings) {
      logger[finding.severity === "error" ? "error" : "warn"](
        { ...finding, severity: undefined },
        formatFinding(finding),
      );
    }
  }

  /** Tries until a backend can run: its tool may be installed, or a module loaded, while we wait. */
  async function choose(): Promise<Choice | undefined> {
    let told = "";
    for (
      let waitMs: number = chooseAgainMs.first;
      !lifecycle.signal.aborted;
      waitMs = Math.min(waitMs * 2, chooseAgainMs.cap)
    ) {
      try {
        return await chooseBackend(options.backend, { chain: options.masqChain }, lifecycle.signal);
      } catch (cause) {
        if (lifecycle.signal.aborted) return undefined;
        const error = asBackendError(cause, options.backend, "IPv4");
        startFailure = error.message;
        metrics.expectBackend(error.backend);
        metrics.backendFailed(error);
        if (error.message !== told) logger.error({ err: error, reason: error.reason }, error.message);
        told = error.message;
        if (options.once) return undefined;
      }
      await pause(waitMs, lifecycle.signal);
    }
    return undefined;
  }

  function startLoop({ backend, capabilities, former, why }: Choice): Loop {
    const { variant, toolVersion, randomFully } = capabilities;
    logger.info({ backend: backend.name, toolVersion, why }, "backend chosen");
    if (options.randomFully && !randomFully)
      logger.warn({ backend: backend.name }, "fully random source ports are not supported here");
    metrics.expectBackend(backend.name);
    metrics.backendChosen(backend.name, variant, toolVersion, (family) => readCounters(backend, family));
    return createLoop({
      ...{ backend, capabilities, former, clock: systemClock },
      resyncIntervalMs: desired?.resyncIntervalMs ?? 60_000,
      onEvent(event) {
        metrics.onEvent(event);
        report(event);
      },
    });
  }

  async function readCounters(backend: Backend, family: Family): ReturnType<Parameters<Metrics["backendChosen"]>[3]> {
    return backend.observe(family, lifecycle.signal).then(
      ({ counters }) => counters,
      () => undefined,
    );
  }

  return {
    async run() {
      const watching = watchConfig({
        path: options.config,
        clock: systemClock,
        onChange: (snapshot) => take(snapshot, "config"),
        onTrouble: (cause) => logger.warn({ err: cause }, "the config cannot be watched; it is read every 5 s instead"),
      });
      const [watch, choice] = await Promise.all([watching, choose()]);
      lifecycle.use(watch);
      take(watch.first, "start");
      if (choice === undefined) return lifecycle.signal.aborted ? 0 : 1;
      startFailure = undefined;
      const started = startLoop(choice);
      loop = started;
      lifecycle.use({ [Symbol.asyncDispose]: () => started.stop() });
      if (desired !== undefined) started.setPolicy(desired.policy, "start");
      if (options.once) return onceDone(started);
      const why = await lifecycle.stopped;
      logger.info({ why }, "ip-masq-agent stops; the rules stay");
      return 0;
    },
    stalledMs: () => loop?.stalledMs() ?? 0,
    notReady() {
      if (startFailure !== undefined) return startFailure;
      if (desired === undefined) return refusal ?? "the config has not been read yet";
      return loop?.inForce() ? undefined : "the rules are not in force, or were not observed so";
    },
  };

  async function onceDone(started: Loop): Promise<number> {
    if (desired === undefined) return 1;
    await Promise.race([started.idle(), lifecycle.stopped]);
    return started.inForce() ? 0 : 1;
  }
}

function summaryOf({ policy, resyncIntervalMs }: Desired, hash: string, snapshot: Snapshot): object {
  return {
    files: snapshot.sources.map(({ file }) => file),
    hash: hash.slice(0, 12),
    exemptIPv4: policy.IPv4.exempt.prefixes.length,
    ...(policy.IPv6 && { exemptIPv6: policy.IPv6.exempt.prefixes.length }),
    resyncIntervalMs,
  };
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _timer = systemClock.timer(milliseconds, resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}
