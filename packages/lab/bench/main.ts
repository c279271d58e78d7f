import { parseArgs } from "node:util";
import { columns } from "../demo/table.ts";
import { createLab } from "../src/index.ts";
import { bareOf, timeBare } from "./bare.ts";
import { createConfigVolume } from "./config-volume.ts";
import { measureExplain } from "./explain.ts";
import { measureFlood } from "./flood.ts";
import { type Figures, measureAgent } from "./measure.ts";
import { measureOriginal } from "./original.ts";
import { measureRepair } from "./repair.ts";
import { measureWriter } from "./writers.ts";

/**
 * Figures of the bundled agent on a node made for it, each beside the bare tool's in the same run. Absolute times tell
 * of the machine; the ratios tell of us. Exit code 1 where a budget is not met.
 *
 *   pnpm bench [--sizes=4,64,1000,10000] [--backends=nftables,…] [--tamperings=20] [--original=/path/to/ip-masq-agent]
 *   pnpm bench --sizes= --tamperings=0 --writers=0.1,1,20 --writer-seconds=60: only what it costs that another program
 *   flushes our chain so many times a second
 */
const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "4,64,1000,10000" },
    backends: { type: "string", default: "nftables,iptables-nft,iptables-legacy" },
    tamperings: { type: "string", default: "20" },
    writers: { type: "string", default: "" },
    "writer-seconds": { type: "string", default: "60" },
    original: { type: "string" },
  },
});
const sizes = numbersIn(values.sizes);
const rates = numbersIn(values.writers);
const rows: string[][] = [];
const budgets: string[][] = [];

for (const backend of values.backends.split(",")) {
  for (const size of sizes) {
    await using lab = await createLab();
    await using volume = await createConfigVolume();
    const figures = await measureAgent(lab, volume, backend, size);
    const bare = median(await timeBare(lab, await bareOf(lab, backend), 7));
    rows.push(rowOf(backend, size, figures, bare));
    process.stderr.write(".");
    if (size === 64) budgetsAt64(backend, figures, bare);
    if (size === 10_000)
      budget(backend, size, "config change to kernel / bare tool", median(figures.oneEntryMs) / bare, 1.5, "×");
  }
}

const heading = [
  "backend",
  "CIDRs",
  "bare tool",
  "one entry changed",
  "all changed",
  "start to rules",
  "resync",
  "CPU",
  "processes",
  "resident",
  "anonymous",
];
say(
  `\nMedians in ms; memory in MB; ratios to the bare tool of the same run. Node ${process.version}, ${new Date().toISOString()}\n`,
);
say(columns([heading, ...rows]));
say("\nBudgets\n");
say(columns([["backend", "CIDRs", "what", "measured", "at most", ""], ...budgets]));
await (rates.length > 0 ? writers() : operation());
if (values.original !== undefined) await original(values.original);
else say("\nThe Go original's figures: give its binary with --original=PATH.");
if (budgets.some((row) => row.includes("NOT MET"))) process.exitCode = 1;

/** What another program costs that undoes our rules: see docs/decisions/0005. */
async function writers(): Promise<void> {
  const seconds = Number(values["writer-seconds"]);
  const found: string[][] = [];
  for (const backend of values.backends.split(",")) {
    for (const rate of rates) {
      await using lab = await createLab();
      await using volume = await createConfigVolume();
      const figures = await measureWriter(lab, volume, backend, rate, seconds);
      const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
      found.push([
        ...[backend, `${rate}`, `${figures.tamperings}`, `${figures.writes}`, percent(figures.wrongShare)],
        ...[fixed(figures.longestRepairMs), percent(figures.cpuShare), percent(figures.monitorShare)],
      ]);
      process.stderr.write(".");
    }
  }
  say(`\nAnother program flushes our chain, for ${seconds} s; a packet every 10 ms\n`);
  const heads = ["a second", "flushes", "writes", "packets wrong", "slowest repair, ms", "CPU", "of that nft monitor"];
  say(columns([["backend", ...heads], ...found]));
}

/** What goes on after the start: drift, listening, and an operator's question. */
async function operation(): Promise<void> {
  const repairs: string[][] = [];
  const floods: string[][] = [];
  const explains: string[][] = [];
  for (const backend of values.backends.split(",")) {
    const tamperings = Number(values.tamperings);
    if (tamperings > 0) {
      await using lab = await createLab();
      await using volume = await createConfigVolume();
      const times = await measureRepair(lab, volume, backend, tamperings);
      repairs.push([backend, `${times.length}`, fixed(median(times)), fixed(Math.max(...times))]);
    }
    if (backend !== "iptables-legacy") {
      await using lab = await createLab();
      await using volume = await createConfigVolume();
      const { rewrites, seconds, agentCpuMs, bareCpuMs } = await measureFlood(lab, volume, backend);
      const share = `${fixed((agentCpuMs / seconds / 1000) * 100)} % of a processor`;
      floods.push([
        backend,
        `${rewrites}`,
        `${fixed(agentCpuMs)} (${fixed(agentCpuMs / bareCpuMs)}×)`,
        share,
        fixed(bareCpuMs),
      ]);
    }
    for (const size of [64, 10_000]) {
      await using lab = await createLab();
      await using volume = await createConfigVolume();
      const { explainMs, nodeMs } = await measureExplain(lab, volume, backend, size);
      const [own, node] = [median(explainMs), median(nodeMs)];
      explains.push([backend, `${size}`, `${fixed(own)} (${fixed(own / node)}×)`, fixed(node)]);
    }
    process.stderr.write(".");
  }
  say("\nTampering to repair, ms: from the end of the tool that tampers to the first packet that is right again.");
  say("The original repairs at its next resync: every 60 s, so after 30 s in the mean.\n");
  say(columns([["backend", "tamperings", "median", "maximum"], ...repairs]));
  say("\nListening while another program rewrites 10,000 rules: CPU in ms, and against nft monitor without a bound\n");
  say(columns([["backend", "rewrites in 10 s", "agent and nft monitor", "that is", "nft monitor alone"], ...floods]));
  say("\nexplain, ms, and against node doing nothing\n");
  say(columns([["backend", "CIDRs", "explain", "node"], ...explains]));
}

function numbersIn(list: string): readonly number[] {
  return list.split(",").filter(Boolean).map(Number);
}

function rowOf(backend: string, size: number, figures: Figures, bare: number): string[] {
  const beside = (times: readonly number[]) => `${fixed(median(times))} (${fixed(median(times) / bare)}×)`;
  return [
    backend,
    `${size}`,
    fixed(bare),
    beside(figures.oneEntryMs),
    beside(figures.allEntriesMs),
    fixed(figures.startMs),
    fixed(figures.resyncMs),
    fixed(figures.resyncCpuMs),
    fixed(figures.resyncProcesses),
    fixed(figures.memory.residentKiB / 1024),
    fixed(figures.memory.anonymousKiB / 1024),
  ];
}

function budgetsAt64(backend: string, figures: Figures, bare: number): void {
  budget(backend, 64, "config change to kernel / bare tool", median(figures.oneEntryMs) / bare, 3, "×");
  budget(backend, 64, "start to rules in the kernel", figures.startMs, 400, "ms");
  budget(backend, 64, "processes of an in-sync resync", figures.resyncProcesses, 2, "");
  budget(backend, 64, "CPU of an in-sync resync", figures.resyncCpuMs, 15, "ms");
  budget(backend, 64, "resident memory", figures.memory.residentKiB / 1024, 75, "MB");
  budget(backend, 64, "anonymous memory", figures.memory.anonymousKiB / 1024, 25, "MB");
}

function budget(backend: string, size: number, what: string, measured: number, most: number, unit: string): void {
  budgets.push([
    backend,
    `${size}`,
    what,
    `${fixed(measured)} ${unit}`,
    `${most} ${unit}`,
    measured <= most ? "met" : "NOT MET",
  ]);
}

async function original(binary: string): Promise<void> {
  const found: string[][] = [];
  for (const size of sizes) {
    await using lab = await createLab();
    const { startMs, resyncCpuMs, memory } = await measureOriginal(lab, binary, size);
    found.push([
      `${size}`,
      fixed(startMs),
      fixed(resyncCpuMs),
      fixed(memory.residentKiB / 1024),
      fixed(memory.anonymousKiB / 1024),
    ]);
  }
  say(`\nThe Go original, ${binary}\n`);
  say(columns([["CIDRs", "start to rules", "CPU of a resync", "resident", "anonymous"], ...found]));
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function fixed(number: number): string {
  return number >= 100 ? number.toFixed(0) : number.toFixed(1);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
