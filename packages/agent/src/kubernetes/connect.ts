import type { Clock } from "@ip-masq-agent/core";
import type { Logger } from "pino";
import type { Options } from "../flags/flag.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Story } from "../running/story.ts";
import { type Inputs, type InputsOptions, openFileInputs } from "../sources/inputs.ts";
import { createApi } from "./api.ts";
import { openClusterInputs } from "./inputs.ts";
import { nodeNameOf } from "./node-name.ts";
import { createRecorder } from "./recorder.ts";

export interface Connection {
  readonly inputs: Inputs;
  /** Absent: without --events. */
  tell?(story: Story): void;
}

export interface ConnectOptions extends InputsOptions {
  readonly options: Options;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  use<T extends AsyncDisposable>(resource: T): T;
}

/** Joins what the flags ask of the API with log and metrics. */
export async function connect({ options, metrics, logger, use, ...rest }: ConnectOptions): Promise<Connection> {
  const { clock } = rest;
  const { kubeconfig, configMap, exemptPodCidrs } = options;
  const node = nodeNameOf(options) ?? "";
  const api = createApi(async () => {
    const { loadCredentials } = await import("./credentials.ts").catch((cause: unknown) => {
      throw new Error("ip-masq-agent-kubernetes.mjs is missing beside the agent's file; put it there", { cause });
    });
    return loadCredentials(kubeconfig === undefined ? {} : { kubeconfig });
  });

  const recorder = options.events
    ? use(
        createRecorder({
          ...{ api, node, clock, onWritten() {} },
          onFailure(error, isNew) {
            metrics.apiFailed("events", error.reason);
            if (isNew) logger.warn({ reason: error.reason }, `Events cannot be written: ${error.message}`);
          },
        }),
      )
    : undefined;
  if (recorder !== undefined) metrics.expectApi("events", false);
  const tell = recorder && ((story: Story) => recorder.tell(story));

  if (configMap === undefined && !exemptPodCidrs)
    return { inputs: use(await openFileInputs(rest)), ...(tell && { tell }) };
  if (configMap !== undefined) metrics.expectApi("configmaps", true);
  if (exemptPodCidrs) metrics.expectApi("nodes", true);
  /** What was last said of each watch: the failure that it is in, or nothing while it is up. */
  const said = new Map<string, string | undefined>();
  const inputs = await openClusterInputs({
    ...{ ...rest, api, configMap, cacheDirectory: options.cacheDir, node: exemptPodCidrs ? node : undefined },
    onWatch(resource, object, state) {
      metrics.apiWatch(resource, state.up);
      if (state.up) {
        if (!said.has(object)) logger.info({ object }, "watched through the API");
        else if (said.get(object) !== undefined) logger.info({ object }, "watched through the API again");
        said.set(object, undefined);
        return;
      }
      const { error, retryInMs } = state;
      const level = said.get(object) === error.reason ? "debug" : "warn";
      const fields = { object, reason: error.reason, retryInMs: Math.round(retryInMs) };
      logger[level](fields, `cannot be watched, and what was last known of it stays in force: ${error.message}`);
      said.set(object, error.reason);
    },
    onApiFailure: (resource, reason) => metrics.apiFailed(resource, reason),
    onCopyTaken: (object, copiedAt) =>
      logger.warn({ object, copiedAt }, "the API server does not give it: the cached copy of that time is in force"),
  });
  return { inputs: use(inputs), ...(tell && { tell }) };
}
