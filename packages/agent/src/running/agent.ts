import { type Backend, type Clock, createLoop, type Family, formatFinding, type Loop } from "@ip-masq-agent/core";
import type { Logger } from "pino";
import type { Choice } from "../choose.ts";
import type { Desired } from "../desired.ts";
import type { Options } from "../flags/flag.ts";
import { fitConfig } from "../heap.ts";
import type { Connection } from "../kubernetes/connect.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { createReport } from "../report.ts";
import { ignoredCopy } from "../sources/config-copy.ts";
import { type InputsOptions, openFileInputs } from "../sources/inputs.ts";
import type { Snapshot } from "../sources/snapshot.ts";
import { statusOf } from "../status/compose.ts";
import { createRecord } from "../status/record.ts";
import type { Status } from "../status/status.ts";
import { takeFirst } from "./first-config.ts";
import { createHolderWatch } from "./holder-watch.ts";
import type { InstanceLock } from "./instance-lock.ts";
import { createKernelWatch } from "./kernel-watch.ts";
import { createNudge } from "./nudge.ts";
import { chooseUntilOneRuns } from "./patience.ts";
import { counterReader } from "./read-counters.ts";
import { whyNotInForce } from "./readiness.ts";
import { createNarrator } from "./story.ts";
import { createWishes } from "./wishes.ts";

export interface Agent {
  /** Runs until told to stop, or, with --once, until the rules are in force; gives the exit code. */
  run(): Promise<number>;
  /** Reads the config and compares the kernel's rules at once; where no backend could be chosen yet, tries again. */
  readAndCompareNow(): void;
  stalledMs(): number;
  notReady(): string | undefined;
  /** What whoever asks should know though the rules are in force; undefined: nothing. */
  remark(): string | undefined;
  status(): Status;
  desired(): Desired | undefined;
}

export interface AgentParts {
  readonly options: Options;
  /** Families that are on. */
  readonly enabled: readonly Family[];
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  /** Nothing is read or written before this is ours; absent: nobody else is to be waited for. */
  readonly lock?: InstanceLock;
}

/** Joins config, backend, loop and the kernel's events; each of them knows nothing of the others. */
export function createAgent({ options, enabled, metrics, logger, lifecycle, clock, lock }: AgentParts): Agent {
  const startedAt = clock.wall();
  const startedMonotonic = clock.monotonic();
  const nudge = createNudge();
  const report = createReport(logger);
  const record = createRecord(enabled, clock);
  metrics.rulesKnownBy(() => loop?.standings() ?? []);
  const holderWatch = lifecycle.use(createHolderWatch(clock, logger, () => loop?.hint()));
  const kernelWatch = createKernelWatch({ options, clock, metrics, logger, loop: () => loop });
  let connection: Connection | undefined;
  let chosen: Choice | undefined;
  let loop: Loop | undefined;
  let startFailure: string | undefined;

  const narrator = createNarrator(
    (story) => connection?.tell?.(story),
    () => chosen?.backend.name ?? "",
  );
  const wishes = createWishes({
    ...{ options, clock, metrics, logger, narrator },
    onDesired(next, before) {
      if (before?.resyncIntervalMs !== next.resyncIntervalMs) loop?.setResyncInterval(next.resyncIntervalMs);
      loop?.setPolicy(next.policy, "config");
    },
  });

  function take(snapshot: Snapshot): void {
    fitConfig(snapshot.sources);
    if (connection !== undefined && wishes.take(snapshot)) connection.inputs.accepted(snapshot);
  }

  /** Only what asks something of the API loads what that takes. */
  async function connect(): Promise<Connection> {
    const inputs: InputsOptions = {
      ...{ path: options.config, clock, onChange: take },
      keepIn: options.missingConfig === "keep" ? options.cacheDir : undefined,
      onTrouble: (cause) => logger.warn({ err: cause }, "the config cannot be watched; it is read every 5 s instead"),
      onCopyTrouble: (file, cause) => logger.warn({ file, err: cause }, "no copy can be kept for a restart"),
      onCopyIgnored: (file, why) => logger.warn(formatFinding(ignoredCopy(file, why))),
    };
    if (options.configMap === undefined && !options.exemptPodCidrs && !options.events)
      return { inputs: lifecycle.use(await openFileInputs(inputs)) };
    const { connect } = await import("../kubernetes/connect.ts");
    return connect({ ...inputs, options, metrics, logger, use: lifecycle.use });
  }

  function choose(): Promise<Choice | undefined> {
    return chooseUntilOneRuns({
      options,
      signal: lifecycle.signal,
      nudge,
      onHolderLost: holderWatch.lost,
      onFailure(error, isNew) {
        startFailure = error.message;
        metrics.expectBackend(error.backend);
        metrics.backendFailed(error);
        narrator.onStartFailed(error.message);
        if (isNew) logger.error({ err: error, reason: error.reason }, error.message);
      },
    });
  }

  function startLoop(choice: Choice, backend: Backend): Loop {
    const { capabilities, former, why } = choice;
    const { variant, toolVersion, randomFully } = capabilities;
    const isProtected = protects(choice);
    logger.info({ backend: backend.name, toolVersion, protected: isProtected, why }, "backend chosen");
    if (options.randomFully && !randomFully)
      logger.warn({ backend: backend.name }, "fully random source ports are not supported here");
    metrics.expectBackend(backend.name);
    metrics.protection(backend.name, isProtected);
    const { signal } = lifecycle;
    const running: Loop["running"] = (family) => loop?.running(family);
    const read = counterReader({ backend, clock, signal, running });
    metrics.backendChosen(backend.name, variant, toolVersion, read);
    return createLoop({
      ...{ backend, capabilities, former, clock },
      resyncIntervalMs: wishes.desired()?.resyncIntervalMs ?? 60_000,
      driftCheckIntervalMs: options.driftCheckInterval,
      onEvent(event) {
        metrics.onEvent(event);
        report(event);
        record.onEvent(event);
        narrator.onEvent(event);
      },
    });
  }

  function notReady(): string | undefined {
    const other = lock?.holder();
    if (other !== undefined)
      return `another ip-masq-agent (${other}) keeps the rules of this node; this one waits until it has ended`;
    if (startFailure !== undefined) return startFailure;
    if (wishes.desired() === undefined) {
      const { missing, refused } = wishes.status();
      return missing?.why ?? refused?.[0] ?? "the config has not been read yet";
    }
    return whyNotInForce(loop?.standings() ?? []);
  }

  return {
    async run() {
      await lock?.acquired;
      if (lifecycle.signal.aborted) return 0;
      const [connected, choice] = await Promise.all([connect(), choose()]);
      connection = connected;
      fitConfig(connected.inputs.now().sources);
      await takeFirst(connected.inputs, { options, logger, wishes, take });
      if (choice === undefined) return lifecycle.signal.aborted ? 0 : 1;
      startFailure = undefined;
      chosen = choice;
      narrator.onStarted();
      lifecycle.use({ [Symbol.asyncDispose]: async () => choice.backend.close?.() });
      const listening = await kernelWatch.open(choice.backend);
      if (listening !== undefined) lifecycle.use(listening);
      const started = startLoop(choice, listening?.backend ?? choice.backend);
      loop = started;
      lifecycle.use({ [Symbol.asyncDispose]: () => started.stop() });
      const desired = wishes.desired();
      if (desired !== undefined) started.setPolicy(desired.policy, "start");
      if (options.once) return onceDone(started);
      const why = await lifecycle.stopped;
      logger.info({ why }, "ip-masq-agent stops; the rules stay");
      return 0;
    },
    readAndCompareNow() {
      logger.info("SIGHUP: the config is read, and the kernel's rules are compared, now");
      nudge.now();
      connection?.inputs.readNow().catch((cause: unknown) => {
        logger.warn({ err: cause }, "the config cannot be read");
      });
      // Not after the reading: a file system that hangs keeps no repair waiting. A changed config brings a pass of its own.
      loop?.compare();
    },
    stalledMs: () => loop?.stalledMs() ?? 0,
    notReady,
    remark: () => wishes.status().missing?.why,
    desired: wishes.desired,
    status: () =>
      statusOf({
        startedAt,
        uptimeMs: clock.monotonic() - startedMonotonic,
        notReady: notReady(),
        ...(chosen && { backend: { choice: chosen, isProtected: protects(chosen), events: kernelWatch.status() } }),
        config: { ...wishes.status(), watches: connection?.inputs.watches() ?? [] },
        families: record.families(
          (family) => wishes.desired()?.policy[family]?.exempt.prefixes.length ?? 0,
          loop?.standings() ?? [],
        ),
        drifts: record.drifts(),
      }),
  };

  async function onceDone(started: Loop): Promise<number> {
    if (wishes.desired() === undefined) return 1;
    await Promise.race([started.idle(), lifecycle.stopped]);
    return started.inForce() ? 0 : 1;
  }
}

function protects({ capabilities }: Choice): boolean {
  return "protects" in capabilities && capabilities.protects === true;
}
