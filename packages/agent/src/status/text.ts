import { type Difference, formatDuration } from "@ip-masq-agent/core";
import type { WatchStatus } from "../sources/inputs.ts";
import type { Paint } from "../text/colour.ts";
import { columns } from "../text/columns.ts";
import type {
  BackendStatus,
  ConfigStatus,
  ConflictStatus,
  DriftRecord,
  FamilyStatus,
  MissingStatus,
  Status,
} from "./status.ts";

/** Shown of one drift; JSON has ten, the log three. */
const mostDifferences = 3;

/** The state for a person: one line for each thing, then the drift history, newest first. */
export function statusText(status: Status, paint: Paint): readonly string[] {
  const { backend, config, families, drifts, notReady } = status;
  const rows: (readonly string[])[] = [
    [
      "agent",
      `${status.binaryVersion} (commit ${status.commit}, node ${status.nodeVersion}), up ${duration(status.uptimeSeconds * 1000)}`,
    ],
    ["rules", notReady === undefined ? paint.good("in force") : paint.bad(`not in force: ${notReady}`)],
    ...(backend === undefined ? [] : backendRows(backend, paint)),
    ...configRows(config, paint),
  ];
  return [
    ...columns(rows),
    ...families.flatMap((family) => familyLines(family, paint)),
    "",
    drifts.length === 0 ? "no drift seen" : `drift, newest first (${drifts.length} kept)`,
    ...drifts.toReversed().flatMap((drift) => driftLines(drift, paint)),
  ];
}

function backendRows(backend: BackendStatus, paint: Paint): readonly (readonly string[])[] {
  const { name, variant, toolVersion, why, events } = backend;
  const memory =
    events.state === "up" && events.residentBytes !== undefined ? `, ${megabytes(events.residentBytes)}` : "";
  const told = {
    up: `noticed by the kernel's events (nft monitor${memory})`,
    starting: "noticed by looking, until the kernel's events come",
    none: "noticed by looking",
  };
  const noticed =
    events.state === "down"
      ? paint.warn(`noticed by looking; the kernel's events are down: ${events.why}`)
      : told[events.state];
  return [
    ["backend", `${name} ${toolVersion}${variant === "" ? "" : ` (${variant})`}: ${why}`],
    ["protected", backend.protected ? paint.good("yes: nobody else can change the rules") : "no"],
    ["drift", noticed],
  ];
}

function configRows(config: ConfigStatus, paint: Paint): readonly (readonly string[])[] {
  const { missing, refused, loadedAt, copiedAt } = config;
  const none =
    loadedAt === undefined ? "none is in force yet" : `${refused ? "is refused" : "does not exist"}: the defaults`;
  const files = config.files.length === 0 ? `${config.path} ${none}` : config.files.join(", ");
  const copied = copiedAt === undefined ? "" : `, the copy of ${copiedAt}`;
  return [
    ["config", `${files}${copied}${loadedAt === undefined ? "" : `, read ${loadedAt}`}`],
    ...(missing === undefined ? [] : [["missing", missingText(missing, paint)]]),
    ...(config.hash === undefined ? [] : [["policy", config.hash]]),
    ...(config.resyncIntervalMs === undefined ? [] : [["resync", `every ${duration(config.resyncIntervalMs)}`]]),
    ...config.watches.map((watch) => ["watch", watchText(watch, paint)]),
    ...config.warnings.filter((warning) => warning !== missing?.why).map((warning) => ["warning", paint.warn(warning)]),
    ...(refused ?? []).map((problem) => ["refused", paint.bad(problem)]),
  ];
}

function missingText({ since, inForce, why }: MissingStatus, paint: Paint): string {
  const colour = inForce === "nothing" ? paint.bad : paint.warn;
  return `${colour(why)} (since ${since})`;
}

function watchText({ object, state, why, since, copiedAt }: WatchStatus, paint: Paint): string {
  const copy = copiedAt === undefined ? "" : paint.warn(`; in force is the cached copy of ${copiedAt}`);
  const how = {
    starting: "the API server has not answered yet",
    up: paint.good("up"),
    down: paint.bad(`down since ${since}: ${why}`),
  };
  return `${object}: ${how[state]}${copy}`;
}

function familyLines(family: FamilyStatus, paint: Paint): readonly string[] {
  const { syncs, counters, driftDetected, conflicts, recent } = family;
  const counts = [
    `${family.exemptPrefixes} exempt prefixes`,
    `syncs: ${syncs.in_sync} in sync, ${syncs.applied} applied, ${syncs.failed} failed`,
    `drift: ${driftDetected}${conflicts === 0 ? "" : paint.bad(`, conflicts: ${conflicts}`)}`,
  ].join("; ");
  // The rules see the first packet of a connection only, so the kernel's packets are connections.
  const connections = counters && [
    `  new connections since the rules were written: ${counters.masqueradedPackets} masqueraded, ${counters.exemptPackets} exempt`,
  ];
  const rows = recent.toReversed().map(({ at, trigger, result, durationMs, summary, error }) => {
    const colour = result === "failed" ? paint.bad : result === "applied" ? paint.warn : paint.good;
    return [at, trigger, colour(result), `${durationMs.toFixed(1)} ms`, error ?? summary];
  });
  const contest = family.conflict && [`  ${paint.bad(conflictText(family.conflict))}`];
  return [
    "",
    `${paint.strong(family.family)}  ${counts}`,
    ...(contest ?? []),
    ...(connections ?? []),
    ...columns(rows, "  "),
  ];
}

function conflictText({ since, undone, by }: ConflictStatus): string {
  const who = by === undefined ? "" : `, last by ${by.process} (pid ${by.pid})`;
  return `conflict since ${since}: our rules were changed ${undone} times${who}`;
}

function driftLines(
  { at, family, backend, kinds, by, repairedAfterMs, undone, differences, total }: DriftRecord,
  paint: Paint,
): readonly string[] {
  const who = by === undefined ? "" : `, by ${by.process} (pid ${by.pid})`;
  const open = undone ? "repaired, and undone at once" : "not repaired";
  const mended = repairedAfterMs === undefined ? paint.bad(open) : `repaired after ${repairedAfterMs.toFixed(1)} ms`;
  const shown = differences.slice(0, mostDifferences);
  const more = total - shown.length;
  return [
    `  ${at}  ${family}  ${backend}  ${kinds}${who}; ${mended}`,
    ...shown.flatMap((difference) => differenceLines(difference, paint)),
    ...(more > 0 ? [`      and ${more} more`] : []),
  ];
}

function differenceLines({ subject, expected, found }: Difference, paint: Paint): readonly string[] {
  return [
    ...(expected === undefined ? [] : [`      expected ${paint.good(expected)}  ${paint.faint(subject)}`]),
    ...(found === undefined ? [] : [`      found    ${paint.bad(found)}  ${paint.faint(subject)}`]),
  ];
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function duration(milliseconds: number): string {
  return formatDuration(milliseconds >= 1000 ? Math.round(milliseconds / 1000) * 1000 : milliseconds);
}
