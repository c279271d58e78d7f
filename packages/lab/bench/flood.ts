import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpuOf, cpuWithChildrenOf, type Lab, startAgent } from "../src/index.ts";
import { type ConfigVolume, configOf } from "./config-volume.ts";

/** What listening costs while another program writes many rules. CPU in ms. */
export interface FloodFigures {
  readonly seconds: number;
  readonly rewrites: number;
  /** The agent with all its children, `nft monitor` among them. */
  readonly agentCpuMs: number;
  /** `nft monitor` alone, its output thrown away: what it costs without a bound. */
  readonly bareCpuMs: number;
  /** The program that rewrites. */
  readonly writerCpuMs: number;
}

const rules = 10_000;
const seconds = 10;
const pauseMs = 100;

/** Rewrites a foreign table of 10,000 rules ten times a second, or as often as the machine can, for ten seconds. */
export async function measureFlood(lab: Lab, volume: ConfigVolume, backend: string): Promise<FloodFigures> {
  await volume.write(configOf(64, "98.0.0.0/8", "10m"));
  const flags = [`--backend=${backend}`, `--config=${volume.file}`, "--metrics-address="];
  await using agent = startAgent(lab.launcher, flags);
  await agent.line(({ msg }) => msg.startsWith("rules"));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const pid = agent.child.pid ?? 0;
  const before = await cpuWithChildrenOf(pid);
  const first = await rewrite(lab);
  const agentCpuMs = (await cpuWithChildrenOf(pid)) - before;
  await agent[Symbol.asyncDispose]();

  const [file = "", ...rest] = [...lab.launcher, "nft", "monitor"];
  const bare = spawn(file, rest, { stdio: "ignore" });
  const ended = once(bare, "exit");
  await new Promise((resolve) => setTimeout(resolve, 500));
  await rewrite(lab);
  const bareCpuMs = await cpuOf(bare.pid ?? 0);
  bare.kill("SIGKILL");
  await ended;
  return { seconds, ...first, agentCpuMs, bareCpuMs };
}

async function rewrite(lab: Lab): Promise<{ readonly rewrites: number; readonly writerCpuMs: number }> {
  const lines = Array.from(
    { length: rules },
    (_, at) => `add rule ip flood c ip daddr 10.${at >> 8}.${at & 255}.1 accept`,
  );
  const text = `add table ip flood\nadd chain ip flood c\nflush chain ip flood c\n${lines.join("\n")}\n`;
  const self = process.resourceUsage();
  const until = performance.now() + seconds * 1000;
  let rewrites = 0;
  for (; performance.now() < until; rewrites++) {
    const started = performance.now();
    const { exitCode, stderr } = await lab.run(["nft", "-f", "-"], text);
    if (exitCode !== 0) throw new Error(stderr);
    const left = pauseMs - (performance.now() - started);
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  }
  const used = process.resourceUsage();
  return {
    rewrites,
    writerCpuMs: (used.userCPUTime - self.userCPUTime + used.systemCPUTime - self.systemCPUTime) / 1000,
  };
}
