import { type Difference, describeKinds, type Family, type ReconcileEvent } from "@ip-masq-agent/core";
import type { Logger } from "pino";

/**
 * Log lines from what the loop tells: one for each change of state, with what and why; a state that goes on is not
 * repeated at each interval. Details of a first failure's repetitions are there at debug level.
 */
export function createReport(logger: Logger): (event: ReconcileEvent) => void {
  /** The failure that each family is in, as told last; absent while all is well. */
  const failing = new Map<Family, string>();
  /** Families in a conflict: one line tells of it, not one for each repair. */
  const contested = new Set<Family>();

  return (event) => {
    const { backend, family } = event;
    const context = { backend, family };
    switch (event.type) {
      case "queued":
        logger.debug({ ...context, trigger: event.trigger }, "reconcile queued");
        return;
      case "drift":
        logger[contested.has(family) ? "debug" : "warn"](
          {
            ...{ ...context, kinds: describeKinds(event.differences), by: event.by },
            first: event.differences.slice(0, 3).map(describe),
          },
          "drift: the kernel's rules are not what was in force",
        );
        return;
      case "conflict":
        if (event.state === "over") contested.delete(family);
        else contested.add(family);
        if (event.state === "goes on")
          logger.debug({ ...context, holdMs: Math.round(event.holdMs) }, "repair undone again");
        else if (event.state === "over") logger.info(context, "conflict over: the rules stand again");
        else
          logger.warn(
            { ...context, by: event.by },
            "conflict: something undoes every repair of our rules; repairs go on, ever more slowly, up to the resync interval; find it and stop it",
          );
        return;
      case "removed":
        if (event.error !== undefined) logger.warn({ ...context, err: event.error }, "old rules could not be removed");
        else if (event.what.length > 0) logger.info({ ...context, removed: event.what }, "old rules removed");
        return;
      case "synced": {
        const timing = { trigger: event.trigger, ms: Math.round(event.durationMs * 10) / 10 };
        if (event.error !== undefined) {
          const told = `${event.error.reason} ${event.error.message}`;
          const level = failing.get(family) === told ? "debug" : "error";
          failing.set(family, told);
          const retryInMs = event.retryInMs === undefined ? undefined : Math.round(event.retryInMs);
          logger[level](
            { ...context, ...timing, reason: event.error.reason, retryInMs, err: event.error },
            "reconcile failed; the rules in the kernel stay as they are",
          );
          return;
        }
        const recovered = failing.delete(family);
        if (event.repair !== undefined) {
          const afterMs = Math.round(event.repair.afterMs * 10) / 10;
          logger[contested.has(family) ? "debug" : "info"](
            { ...context, ...timing, wrote: event.summary, afterMs },
            "drift repaired",
          );
        } else if (event.result === "applied") {
          logger.info({ ...context, ...timing, wrote: event.summary }, "rules written, and observed in force");
        } else if (recovered || event.trigger === "start") {
          logger.info({ ...context, ...timing }, "rules in force, nothing to write");
        } else {
          logger.debug({ ...context, ...timing }, "in sync");
        }
        return;
      }
    }
  };
}

function describe({ kind, subject, expected, found }: Difference): string {
  const sides = [expected && `expected ${expected}`, found && `found ${found}`].filter(Boolean).join(", ");
  return `${kind} in ${subject}${sides && `: ${sides}`}`;
}
