import { type Conflict, type Difference, describeKinds, type Family, type ReconcileEvent } from "@ip-masq-agent/core";
import type { Logger } from "pino";

/**
 * Log lines from what the loop tells: one for each change of state, with what and why; a state that goes on is not
 * repeated at each interval. Details of a first failure's repetitions are there at debug level.
 */
export function createReport(logger: Logger): (event: ReconcileEvent) => void {
  /** The failure that each family is in, as told last; absent while all is well. */
  const failing = new Map<Family, string>();
  /** Why old rules could not be removed, as told last, by backend and family. */
  const unremoved = new Map<string, string>();
  /** Families in a conflict: one line tells of it, not one for each repair. */
  const contested = new Set<Family>();

  function tellConflict({ backend, family, state, since, undone, by, at }: Conflict): void {
    const facts = { backend, family, undone, by };
    if (state === "begins") {
      contested.add(family);
      logger.warn(
        { ...facts, since: new Date(since).toISOString() },
        "conflict: another program undoes our repairs; they go on, about one write a second at most; find it and stop it",
      );
    } else if (state === "over") {
      contested.delete(family);
      failing.delete(family);
      logger.info({ ...facts, seconds: Math.round((at - since) / 1000) }, "conflict over: the rules stand again");
    } else logger.debug(facts, "repair undone again");
  }

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
        tellConflict(event);
        return;
      case "removed":
        if (event.error !== undefined) {
          const key = `${backend} ${family}`;
          const level = unremoved.get(key) === event.error.message ? "debug" : "warn";
          unremoved.set(key, event.error.message);
          logger[level]({ ...context, err: event.error }, "old rules could not be removed");
          return;
        }
        unremoved.delete(`${backend} ${family}`);
        if (event.what.length > 0) logger.info({ ...context, removed: event.what }, "old rules removed");
        return;
      case "synced": {
        const timing = { trigger: event.trigger, ms: Math.round(event.durationMs * 10) / 10 };
        if (event.error !== undefined) {
          const told = `${event.error.reason} ${event.error.message}`;
          const isOfConflict = event.undone === true && contested.has(family);
          const level = isOfConflict || failing.get(family) === told ? "debug" : event.undone ? "warn" : "error";
          if (!isOfConflict) failing.set(family, told);
          const retryInMs = event.retryInMs === undefined ? undefined : Math.round(event.retryInMs);
          logger[level](
            { ...context, ...timing, reason: event.error.reason, retryInMs, err: event.error },
            event.undone
              ? "rules written, and changed by another program before they could be read back"
              : "reconcile failed; the rules in the kernel stay as they are",
          );
          return;
        }
        // In a conflict success and failure take turns; a failure told once is not told again before it is over.
        const recovered = contested.has(family) ? false : failing.delete(family);
        if (event.repair !== undefined) {
          const afterMs = Math.round(event.repair.afterMs * 10) / 10;
          const isRepaired = event.repair.result === "repaired";
          logger[contested.has(family) ? "debug" : "info"](
            { ...context, ...timing, wrote: event.summary, afterMs },
            isRepaired ? "drift repaired" : "drift that came back is written over",
          );
        } else if (event.result === "applied") {
          logger[contested.has(family) && event.trigger !== "config" ? "debug" : "info"](
            { ...context, ...timing, wrote: event.summary },
            event.unverified ? "rules written" : "rules written, and observed in force",
          );
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
