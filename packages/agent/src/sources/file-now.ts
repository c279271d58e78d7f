import { systemClock } from "@ip-masq-agent/core";
import { interpret } from "../desired.ts";
import type { Options } from "../flags/flag.ts";
import { configCopy, ignoredCopy } from "./config-copy.ts";
import { missingFinding } from "./missing.ts";
import { type Snapshot, takeSnapshot } from "./snapshot.ts";

/** The files at the config's path; where there are none and the last good ones are to be kept, their copy. */
export async function fileNow(options: Options): Promise<Snapshot> {
  const snapshot = await takeSnapshot(options.config);
  const { missing } = snapshot;
  if (missing === undefined || options.missingConfig !== "keep") return snapshot;
  const copy = configCopy(options.cacheDir, options.config, systemClock);
  const { snapshot: kept, ignored } = await copy.read();
  const why = ignored ?? (kept && interpret(kept, options).desired === undefined ? "is not valid" : undefined);
  if (why !== undefined) return { ...snapshot, remarks: [ignoredCopy(copy.file, why)] };
  if (kept === undefined) return snapshot;
  const reason = `in force is the copy of ${kept.copiedAt}`;
  const finding = missingFinding(missing, options, true);
  return { ...kept, remarks: finding === undefined ? [] : [{ ...finding, reason: `${finding.reason}; ${reason}` }] };
}
