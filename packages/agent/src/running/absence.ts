import { type Clock, formatFinding } from "@ip-masq-agent/core";
import type { Logger } from "pino";
import type { Options } from "../flags/flag.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { type MissingMeaning, meaningOf, missingFinding } from "../sources/missing.ts";
import type { Missing, Snapshot } from "../sources/snapshot.ts";
import type { MissingStatus } from "../status/status.ts";
import type { Narrator } from "./story.ts";

/** Whether there is a config at all: told when it goes and when it comes, and not again meanwhile. */
export interface Absence {
  /** Takes note of a snapshot; gives what to do where there is no config. `had`: there was one, or a copy of one. */
  observe(snapshot: Snapshot, had: boolean): MissingMeaning | undefined;
  /** Undefined: there is a config, or none is called for. */
  status(): MissingStatus | undefined;
}

export interface AbsenceOptions {
  readonly options: Options;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly narrator: Narrator;
}

/** Errors of a snapshot that say nothing of whether there is a config. */
const silent: ReadonlySet<string> = new Set(["api-silent", "no-node"]);

export function createAbsence({ options, clock, metrics, logger, narrator }: AbsenceOptions): Absence {
  let status: MissingStatus | undefined;
  /** What was logged last, so that it is not logged twice. */
  let said = "";

  function onMissing(missing: Missing, had: boolean): MissingMeaning {
    const meaning = meaningOf(missing, options, had);
    const finding = missingFinding(missing, options, had);
    metrics.configMissing(finding !== undefined);
    if (finding === undefined) {
      say("info", `${missing.place} does not exist: the defaults are in force`);
      return meaning;
    }
    const why = formatFinding(finding);
    const inForce = { defaults: "defaults", keep: "last-good", wait: "nothing" } as const;
    status = { since: status?.since ?? new Date(clock.wall()).toISOString(), inForce: inForce[meaning], why };
    narrator.configMissing(why);
    if (meaning === "keep") say("warn", why);
    // For the defaults the finding is told with the config's others.
    else if (meaning === "wait") {
      if (options.once) say("error", why);
      else say("warn", `${why}; until there is a config the kernel is left as it is`);
    }
    return meaning;
  }

  function say(level: "info" | "warn" | "error", message: string): void {
    if (message !== said) logger[level](message);
    said = message;
  }

  return {
    observe({ missing, error }, had) {
      if (missing !== undefined) return onMissing(missing, had);
      if (error !== undefined && silent.has(error.finding.code)) return undefined;
      if (status !== undefined) {
        logger.info({ since: status.since }, "there is a config again");
        narrator.configFound();
      }
      status = undefined;
      said = "";
      metrics.configMissing(false);
      return undefined;
    },
    status: () => status,
  };
}
