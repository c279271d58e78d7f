import { appendFileSync } from "node:fs";
import { seeded, type Toolchain, toolchains } from "@ip-masq-agent/lab";
import type { BackendName } from "../src/backends.ts";

/** Repeats a run: every campaign draws its random numbers from this and its own name. */
export const seed: number = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/** So many campaigns share the time that MINUTES gives. */
const campaigns = 24;
const shortMs = 8_000;

/** How long one campaign runs, in milliseconds: 8 s, or its share of MINUTES. */
export const budgetMs: number =
  process.env["MINUTES"] === undefined ? shortMs : (Number(process.env["MINUTES"]) * 60_000) / campaigns;

/** For `test`: a campaign takes its budget, and what it began last. */
export const timeoutMs: number = budgetMs + 120_000;

/** A backend with the tools and flags that it runs with. */
export interface Subject {
  readonly label: string;
  readonly backend: BackendName;
  readonly tools: Toolchain;
  readonly flags: readonly string[];
}

/** Every backend with this system's tools, and protected tables where nft 1.1 has been unpacked. */
export function subjects(): readonly Subject[] {
  const [system, ...newer] = toolchains();
  if (system === undefined) throw new Error("no tools to test with");
  const plain = (["nftables", "iptables-nft", "iptables-legacy"] as const).map((backend) => ({
    ...{ label: backend, backend, tools: system },
    flags: [`--backend=${backend}`, "--protect-rules=off"],
  }));
  const owned = newer.map((tools) => ({
    ...{ label: `nftables, protected (${tools.name})`, backend: "nftables" as const, tools },
    flags: ["--backend=nftables", "--protect-rules=on"],
  }));
  return [...plain, ...owned];
}

/** One line of the table in docs/reliability.md. */
export interface Row {
  readonly campaign: string;
  readonly on: string;
  /** What was done how often: `212 kills`. */
  readonly tried: string;
  readonly result: string;
}

/** Keeps a row in the file that FAULTS_ROWS names, and prints it. */
export function record(row: Row): void {
  process.stderr.write(`${row.campaign} | ${row.on} | ${row.tried} | ${row.result} (SEED=${seed})\n`);
  const file = process.env["FAULTS_ROWS"];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`);
}

/** Numbers in [0, 1), the same for the same seed and name. */
export function randomFor(name: string): () => number {
  let state = seed | 0 || 1;
  for (const character of name) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193) || 1;
  return seeded(state);
}

/** One of a list, by a random number. */
export function pick<T>(list: readonly T[], random: () => number): T {
  const chosen = list[Math.floor(random() * list.length)];
  if (chosen === undefined) throw new Error("nothing to choose from");
  return chosen;
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
