import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { fileURLToPath } from "node:url";
import type { Row } from "./campaign.ts";

/**
 * Prints the rows of a run as a table; with `--write` puts it into docs/reliability.md between its two marks.
 *
 *   node packages/agent/faults/table.ts ROWS-FILE [--write]
 */
const [file = "", write] = process.argv.slice(2);
const page = fileURLToPath(new URL("../../../docs/reliability.md", import.meta.url));
const [begin, end] = ["<!-- run: begin -->", "<!-- run: end -->"];

const rows = readFileSync(file, "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line) as Row);
const table = [
  `Run on ${new Date().toISOString().slice(0, 10)}: ${versions().join(", ")}.`,
  "",
  "| campaign | on | tried | result |",
  "| --- | --- | --- | --- |",
  ...rows
    .toSorted((a, b) => `${a.campaign} ${a.on}`.localeCompare(`${b.campaign} ${b.on}`))
    .map(({ campaign, on, tried, result }) => `| ${campaign} | ${on} | ${tried} | ${result} |`),
].join("\n");
process.stdout.write(`${table}\n`);
if (write === "--write") {
  const text = readFileSync(page, "utf8");
  const [before = "", rest = ""] = text.split(begin);
  const [, after = ""] = rest.split(end);
  writeFileSync(page, `${before}${begin}\n\n${table}\n\n${end}${after}`);
}

function versions(): readonly string[] {
  const said = (command: string, ...words: readonly string[]) =>
    execFileSync(command, words, { encoding: "utf8" }).split("\n", 1)[0]?.replace(/ \(.*/, "") ?? "";
  return [`kernel ${release()}`, `Node ${process.version}`, said("nft", "--version"), said("iptables", "--version")];
}
