import {
  type Clock,
  countFindings,
  type Finding,
  fingerprint,
  firstFindings,
  formatFinding,
  formatFindings,
} from "@ip-masq-agent/core";
import type { Logger } from "pino";
import { type Desired, interpret } from "../desired.ts";
import type { Options } from "../flags/flag.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { configPlace } from "../sources/now.ts";
import type { Snapshot } from "../sources/snapshot.ts";
import type { ConfigStatus } from "../status/status.ts";
import { createAbsence } from "./absence.ts";
import type { Narrator } from "./story.ts";

/** What the agent is to put in force: the last config that was found good, and what there is to say of the newest. */
export interface Wishes {
  /** Understands a snapshot. Refused, it leaves everything as it is; gives whether it was taken. */
  take(snapshot: Snapshot): boolean;
  desired(): Desired | undefined;
  status(): Omit<ConfigStatus, "watches">;
}

export interface WishesOptions {
  readonly options: Options;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly narrator: Narrator;
  /** First of all: what follows takes milliseconds for a large config, and the tool is at work meanwhile. */
  onDesired(desired: Desired, before: Desired | undefined): void;
}

export function createWishes({ options, clock, metrics, logger, narrator, onDesired }: WishesOptions): Wishes {
  const absence = createAbsence({ options, clock, metrics, logger, narrator });
  let desired: Desired | undefined;
  /** There was a config since the start, or a copy of one. */
  let had = false;
  let status: Omit<ConfigStatus, "watches" | "missing"> = { path: configPlace(options), files: [], warnings: [] };

  function refuse(findings: readonly Finding[]): void {
    tell(findings);
    const errors = findings.filter(({ severity }) => severity === "error");
    status = { ...status, refused: formatFindings(errors) };
    metrics.configRefused();
    logger.error(
      desired === undefined
        ? "no valid config yet: the kernel is left as it is"
        : `the config is not valid: the ${status.files.length === 0 ? "defaults stay" : "last good one stays"} in force`,
    );
    // A config that is not known yet has not been rejected.
    if (errors.every(({ code }) => code === "api-silent")) return;
    const more = countFindings(errors) - 1;
    narrator.configRejected(`${status.refused?.[0] ?? ""}${more === 0 ? "" : ` (and ${more} more)`}`);
  }

  function tell(findings: readonly Finding[]): void {
    const { shown, more } = firstFindings(findings);
    for (const finding of shown) {
      logger[finding.severity === "error" ? "error" : "warn"](
        { ...finding, severity: undefined },
        formatFinding(finding),
      );
    }
    if (more > 0) logger.warn({ more }, `${more} more findings about the config; validate shows them`);
  }

  return {
    take(snapshot) {
      const missing = snapshot.copiedAt === undefined ? absence.observe(snapshot, had) : undefined;
      if (missing === "wait" || missing === "keep") {
        const { refused: _, ...rest } = status;
        status = rest;
        return false;
      }
      const { desired: next, findings } = interpret(snapshot, options, had);
      if (next === undefined) {
        refuse(findings);
        return false;
      }
      const before = desired;
      desired = next;
      had ||= snapshot.sources.length > 0;
      onDesired(next, before);
      tell(findings);
      // Nodes are compared by it, so what only this one adds is not in it.
      const hash = fingerprint(next.shared);
      metrics.configLoaded(next.policy, hash, countFindings(findings));
      logger.info(summaryOf(next, hash, snapshot), "config loaded");
      narrator.configAccepted(hash.slice(0, 12));
      status = {
        path: configPlace(options),
        files: snapshot.sources.map(({ file }) => file),
        hash: hash.slice(0, 12),
        loadedAt: new Date(clock.wall()).toISOString(),
        ...(snapshot.copiedAt !== undefined && { copiedAt: snapshot.copiedAt }),
        resyncIntervalMs: next.resyncIntervalMs,
        warnings: formatFindings(findings),
        warningCount: countFindings(findings),
      };
      return true;
    },
    desired: () => desired,
    status() {
      const missing = absence.status();
      return { ...status, ...(missing && { missing }) };
    },
  };
}

function summaryOf({ policy, resyncIntervalMs }: Desired, hash: string, snapshot: Snapshot): object {
  return {
    files: snapshot.sources.map(({ file }) => file),
    hash: hash.slice(0, 12),
    exemptIPv4: policy.IPv4.exempt.prefixes.length,
    ...(policy.IPv6 && { exemptIPv6: policy.IPv6.exempt.prefixes.length }),
    resyncIntervalMs,
    ...(snapshot.copiedAt !== undefined && { copiedAt: snapshot.copiedAt }),
  };
}
