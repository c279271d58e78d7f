import { readFileSync } from "node:fs";

/** What one transaction made `nft monitor` print, in the order in which it prints it. */
export interface Printed {
  readonly stderr: string;
  readonly stdout: string;
}

/** The versions whose output record-monitor.sh has recorded. */
export const recordedVersions = ["1.0.6", "1.1.3"] as const;

/** The transaction of this name, as this version of nft printed it. Throws for one that was not recorded. */
export function recorded(version: (typeof recordedVersions)[number], step: string): Printed {
  const text = readFileSync(new URL(`captured/${version}/monitor.txt`, import.meta.url), "utf8");
  const part = text.split(/^## /m).find((one) => one.startsWith(`${step}\n`));
  if (part === undefined) throw new Error(`nothing was recorded of ${step} with nft ${version}`);
  const lines = part.split("\n");
  const of = (stream: string) =>
    lines
      .filter((line) => line.startsWith(stream))
      .map((line) => `${line.slice(stream.length)}\n`)
      .join("");
  return { stderr: of("err|"), stdout: of("out|") };
}
