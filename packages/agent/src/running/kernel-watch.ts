import type { Backend, Clock, Loop } from "@ip-masq-agent/core";
import type { Logger } from "pino";
import type { Options } from "../flags/flag.ts";
import type { EventsState, KernelEvents } from "../kernel/events.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { EventsStatus } from "../status/status.ts";

export interface KernelWatchOptions {
  readonly options: Options;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Undefined until there is one. */
  loop(): Loop | undefined;
}

/** Until the kernel's events come, and wherever they do not, drift is looked for; log, metrics and status say which. */
export interface KernelWatch {
  /** Undefined: this backend has no events. To be disposed of by the caller. */
  open(backend: Backend): Promise<KernelEvents | undefined>;
  status(): EventsStatus;
}

export function createKernelWatch({ options, clock, metrics, logger, loop }: KernelWatchOptions): KernelWatch {
  let state: EventsStatus = { state: "none" };
  let events: KernelEvents | undefined;

  function onState(backend: string, next: EventsState): void {
    metrics.kernelEvents(backend, next.up);
    loop()?.setDriftCheckInterval(next.up ? undefined : options.driftCheckInterval);
    if (next.up) {
      if (state.state === "down") logger.info({ backend }, "the kernel's events are back");
      else if (!next.endsWithUs)
        logger.info({ backend }, "nft monitor will outlive an agent that is killed: install setpriv (util-linux)");
      state = { state: "up" };
      return;
    }
    const { why, retryInMs } = next;
    if (state.state !== "down") {
      const rest = { backend, why, retryInMs: Math.round(retryInMs) };
      logger.warn(rest, "the kernel's events cannot be listened to; drift is looked for instead");
    }
    state = { state: "down", why };
  }

  return {
    async open(backend) {
      if (options.once) return undefined;
      const { listenToKernel } = await import("../kernel/events.ts");
      events = await listenToKernel({
        ...{ backend, chain: options.masqChain, clock },
        onHint: (family, by) => loop()?.hint(family, by),
        onState: (next) => onState(backend.name, next),
      });
      if (events === undefined) return undefined;
      state = { state: "starting" };
      metrics.kernelEvents(backend.name, false, events.residentBytes);
      return events;
    },
    status() {
      const residentBytes = events?.residentBytes();
      return state.state === "up" && residentBytes !== undefined ? { state: "up", residentBytes } : state;
    },
  };
}
