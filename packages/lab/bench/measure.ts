import { type AgentProcess, cpuOf, type Lab, type Memory, memoryOf, startAgent } from "../src/index.ts";
import { type ConfigVolume, configOf } from "./config-volume.ts";
import { childOf, nextPid } from "./process.ts";

export interface Figures {
  /** From the start of the process to the first packet that is masqueraded, ms. */
  readonly startMs: number;
  /** From the swap of the volume to the first packet decided by the new config, ms: one entry differs; all do. */
  readonly oneEntryMs: readonly number[];
  readonly allEntriesMs: readonly number[];
  /** Of a resync that finds nothing to do: from first look to last, ms; CPU with children, ms; processes started. */
  readonly resyncMs: number;
  readonly resyncCpuMs: number;
  readonly resyncProcesses: number;
  readonly memory: Memory;
}

const rounds = 7;
const resyncSeconds = 5;
const restSeconds = 12;
/** Between one change and the next: nobody edits a config while the last edit is still being looked at. */
const settleMs = 300;
/** Never exempt but by the change that is waited for. */
const probe = { family: "IPv4", destination: "99.1.2.3" } as const;

/** Runs the agent through all that is measured, at one size, on a node of its own. */
export async function measureAgent(lab: Lab, volume: ConfigVolume, backend: string, count: number): Promise<Figures> {
  const port = 10266;
  const flags = [`--backend=${backend}`, `--config=${volume.file}`, `--metrics-address=127.0.0.1:${port}`];
  await volume.write(configOf(count, "98.0.0.0/8", "1h"));
  // Warm: the receiver and sender are running, the agent's file is in the page cache.
  await lab.send([probe]);
  const launcher = [...lab.launcher, "unshare", "--pid", "--fork", "--kill-child"];
  const started = performance.now();
  await using agent = startAgent(launcher, flags);
  const startMs = await until(lab, lab.node.IPv4, started);
  await agent.line(({ msg }) => msg.startsWith("rules"));
  const pid = await childOf(agent.child.pid ?? 0);

  const node = { lab, volume, agent };
  const oneEntryMs: number[] = [];
  const allEntriesMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    oneEntryMs.push(await change(node, configOf(count, "99.0.0.0/8", "1h"), lab.pod.IPv4));
    await change(node, configOf(count, "98.0.0.0/8", "1h"), lab.node.IPv4);
    allEntriesMs.push(await change(node, configOf(count, "99.0.0.0/8", "1h", 120), lab.pod.IPv4));
    await change(node, configOf(count, "98.0.0.0/8", "1h"), lab.node.IPv4);
  }
  await volume.write(configOf(count, "98.0.0.0/8", "100ms"));
  await agent.line((line) => line["resyncIntervalMs"] === 100);
  const resync = await measureResync(lab, pid, port);
  // A node's agent rests for a minute between resyncs; V8 gives memory back after some seconds of that.
  await volume.write(configOf(count, "98.0.0.0/8", "1h"));
  await new Promise((resolve) => setTimeout(resolve, restSeconds * 1000));
  const memory = await memoryOf(pid);
  process.kill(pid, "SIGTERM");
  return { startMs, oneEntryMs, allEntriesMs, ...resync, memory };
}

async function measureResync(
  lab: Lab,
  pid: number,
  port: number,
): Promise<Pick<Figures, "resyncMs" | "resyncCpuMs" | "resyncProcesses">> {
  const read = async () => {
    const script = "console.log(await (await fetch(process.argv[1])).text())";
    const page = (
      await lab.run([process.execPath, "--input-type=module", "-e", script, `http://127.0.0.1:${port}/metrics`])
    ).stdout;
    const sum = (pattern: RegExp) => [...page.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
    return {
      count: sum(/^ip_masq_agent_syncs_total\{[^}]*result="in_sync"\} (\S+)$/gm),
      seconds: sum(/^ip_masq_agent_sync_duration_seconds_sum\{[^}]*trigger="resync"\} (\S+)$/gm),
    };
  };
  // A reading scrapes and so costs something itself: it stands outside of what is measured.
  const before = await read();
  const [cpuBefore, pidBefore] = [await cpuOf(pid), await nextPid(lab, pid)];
  await new Promise((resolve) => setTimeout(resolve, resyncSeconds * 1000));
  const [cpuAfter, pidAfter] = [await cpuOf(pid), await nextPid(lab, pid)];
  const after = await read();
  const count = after.count - before.count;
  return {
    resyncMs: ((after.seconds - before.seconds) * 1000) / count,
    resyncCpuMs: (cpuAfter - cpuBefore) / count,
    resyncProcesses: (pidAfter - pidBefore - 1) / count,
  };
}

interface Node {
  readonly lab: Lab;
  readonly volume: ConfigVolume;
  readonly agent: AgentProcess;
}

/** One change, timed until a packet shows it; then waits until the agent has looked at what it wrote, and rests. */
async function change({ lab, volume, agent }: Node, config: string, source: string): Promise<number> {
  const before = agent.log.length;
  const started = performance.now();
  await volume.write(config);
  const elapsed = await until(lab, source, started);
  await agent.line((line) => line.msg.startsWith("rules") && agent.log.indexOf(line) >= before);
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  return elapsed;
}

/** Sends packets one after the other until one arrives from `source`; the pause leaves the processors to the agent. */
export async function until(lab: Lab, source: string, started: number): Promise<number> {
  for (;;) {
    const [arrival] = await lab.send([probe]);
    const now = performance.now() - started;
    if (arrival?.source === source) return now;
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (now > 60_000) throw new Error(`no packet from ${source} in a minute`);
  }
}
