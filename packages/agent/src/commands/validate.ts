import {
  type Family,
  type Finding,
  families,
  fingerprint,
  formatDuration,
  formatFinding,
  formatPrefix,
  formatSet,
} from "@ip-masq-agent/core";
import { type Desired, interpret } from "../desired.ts";
import type { Options } from "../flags/flag.ts";
import type { Output } from "../output.ts";
import { configPlace, snapshotNow } from "../sources/now.ts";
import { takeSnapshot } from "../sources/snapshot.ts";

/** Says what a config means with these flags, or everything that is wrong with it; an empty path: the agent's. Exit code 0 or 1. */
export async function validate(given: string, options: Options, output: Output): Promise<number> {
  const path = given || configPlace(options);
  const snapshot = given === "" ? await snapshotNow(options) : await takeSnapshot(given);
  const { desired, findings } = interpret(snapshot, options);
  if (options.output === "json") {
    output.out(`${JSON.stringify(asJson(desired, findings), undefined, 2)}\n`);
    return desired === undefined ? 1 : 0;
  }
  for (const finding of findings.toSorted(byPlace)) output.err(`${finding.severity}: ${formatFinding(finding)}\n`);
  if (desired === undefined) {
    const errors = findings.filter(({ severity }) => severity === "error").length;
    output.err(`${path}: not valid, ${errors} ${errors === 1 ? "error" : "errors"}\n`);
    return 1;
  }
  const files = snapshot.sources.map(({ file }) => file);
  output.out(describe(desired, files.length === 0 ? `${path} does not exist: the defaults` : files.join(", ")));
  return 0;
}

function asJson(desired: Desired | undefined, findings: readonly Finding[]): object {
  if (desired === undefined) return { valid: false, findings };
  const { policy, resyncIntervalMs } = desired;
  const own = families.flatMap((family) => {
    const { exempt, translation } = policy[family] ?? {};
    return exempt === undefined ? [] : [{ family, exempt: formatSet(exempt), translation }];
  });
  return { valid: true, findings, hash: fingerprint(policy), resyncIntervalMs, families: own };
}

function describe({ policy, config, resyncIntervalMs }: Desired, from: string): string {
  const lines = [
    `config:    ${from}`,
    `policy:    ${fingerprint(policy).slice(0, 12)}`,
    `resync:    every ${formatDuration(resyncIntervalMs)}`,
  ];
  for (const family of families) {
    const own = policy[family];
    lines.push("");
    if (own === undefined) {
      lines.push(`${family}:      off; --enable-ipv6 turns it on`);
      continue;
    }
    const { randomFully, ports } = own.translation;
    const exempt = formatSet(own.exempt);
    const how = `${ports.length === 0 ? "" : `, tcp, udp and sctp from ports ${ports.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(", ")}`}`;
    lines.push(
      `${family}:      ${exempt.length === 0 ? "nothing is exempt" : `exempt: ${exempt.length} ${exempt.length === 1 ? "prefix" : "prefixes"}`}`,
      ...exempt.map((prefix) => `             ${prefix}${origin(desiredEntries(config, family), prefix)}`),
      `           all else: masqueraded${randomFully ? ", source ports fully random" : ""}${how}`,
    );
  }
  return `${lines.join("\n")}\n`;
}

type Entries = ReadonlyMap<string, string>;

/** Where each entry was written, by its text. */
function desiredEntries(config: Desired["config"], family: Family): Entries {
  return new Map(
    config.nonMasqueradeCIDRs
      .filter(({ prefix }) => prefix.family === family)
      .map(({ prefix, file, line }) => [formatPrefix(prefix), line === undefined ? file : `${file}:${line}`]),
  );
}

function origin(entries: Entries, prefix: string): string {
  const place = entries.get(prefix);
  return place === undefined ? "" : `  # ${place}`;
}

function byPlace(a: Finding, b: Finding): number {
  return a.file === b.file ? (a.line ?? 0) - (b.line ?? 0) : a.file < b.file ? -1 : 1;
}
