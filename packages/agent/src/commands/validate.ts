import {
  countFindings,
  type Family,
  type Finding,
  families,
  fingerprint,
  formatDuration,
  formatPrefix,
  formatSet,
  hasErrors,
} from "@ip-masq-agent/core";
import { type Desired, interpret } from "../desired.ts";
import type { Options } from "../flags/flag.ts";
import type { Output } from "../output.ts";
import { manifestConfig } from "../sources/manifest.ts";
import { configPlace, snapshotNow } from "../sources/now.ts";
import { SourceError } from "../sources/read.ts";
import { type Snapshot, snapshotOf, takeSnapshot } from "../sources/snapshot.ts";
import { type InputStream, isStandardInput, readStandardInput } from "../sources/standard-input.ts";
import { tellRefused, tellTaken } from "./refused.ts";

/**
 * Says what a config means with these flags, or everything that is wrong with it. The path may be `-` for standard input,
 * and the file a ConfigMap's manifest; an empty path: the agent's own config. Exit code 0 or 1; 2: a terminal is no input.
 */
export async function validate(
  given: string,
  options: Options,
  output: Output,
  input: InputStream = process.stdin,
): Promise<number> {
  const snapshot = given === "" ? await snapshotNow(options) : await givenSnapshot(given, input);
  if (snapshot === undefined) {
    output.err("ip-masq-agent: standard input is a terminal; pipe a config into it, or name a file\n");
    return 2;
  }
  const path = given === "" ? configPlace(options) : isStandardInput(given) ? "standard input" : given;
  const understood = interpret(snapshot, options);
  const findings = understood.findings.toSorted(byPlace);
  const desired = hasErrors(findings) ? undefined : understood.desired;
  if (options.output === "json") {
    output.json(asJson(desired, findings));
    return desired === undefined ? 1 : 0;
  }
  if (desired === undefined) {
    const errors = countFindings(findings, "error");
    tellRefused(snapshot, findings, `${path}: not valid, ${errors} ${errors === 1 ? "error" : "errors"}`, output);
    return 1;
  }
  tellTaken(findings, undefined, output);
  const files = snapshot.sources.map(({ file }) => file);
  output.out(describe(desired, files.length === 0 ? `${path} does not exist: the defaults` : files.join(", ")));
  return 0;
}

/** What is at a path that was named, or on standard input; undefined: that is a terminal. */
async function givenSnapshot(path: string, input: InputStream): Promise<Snapshot | undefined> {
  if (isStandardInput(path)) {
    const source = await readStandardInput(input);
    return source && unwrapped(snapshotOf([source]));
  }
  const snapshot = await takeSnapshot(path);
  if (snapshot.missing?.kind !== "file") return unwrapped(snapshot);
  const absent = { code: "no-config", file: path, reason: "does not exist", remedy: "check the path" };
  return { ...snapshotOf(new SourceError({ severity: "error", ...absent })), missing: snapshot.missing };
}

/** The config in a manifest, where the one file is a manifest. */
function unwrapped(snapshot: Snapshot): Snapshot {
  const [source, ...others] = snapshot.sources;
  const manifest = source === undefined || others.length > 0 ? undefined : manifestConfig(source);
  return manifest === undefined ? snapshot : { ...snapshotOf(manifest.sources), remarks: manifest.findings };
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

function describe({ policy, config, resyncIntervalMs }: Desired, from: string): readonly string[] {
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
  return lines;
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
