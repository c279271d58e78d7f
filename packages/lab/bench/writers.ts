import { readFile } from "node:fs/promises";
import { setTimeout as rest } from "node:timers/promises";
import { childrenOf, cpuOf, type Lab, startAgent } from "../src/index.ts";
import { type ConfigVolume, configOf } from "./config-volume.ts";

/** What another program costs that flushes our rules again and again. */
export interface WriterFigures {
  readonly tamperings: number;
  /** Share of the packets, one every 10 ms, that left with the wrong address. */
  readonly wrongShare: number;
  /** The longest time from the first notice of a change to its repair, milliseconds, as the agent logs it. */
  readonly longestRepairMs: number;
  /** The agent's and its children's CPU, as a share of one processor, and how much of it nft monitor's is. */
  readonly cpuShare: number;
  readonly monitorShare: number;
  readonly writes: number;
}

const port = 10266;

/** Flushes our chain so many times a second, for so many seconds. */
export async function measureWriter(
  lab: Lab,
  volume: ConfigVolume,
  backend: string,
  perSecond: number,
  seconds: number,
): Promise<WriterFigures> {
  await volume.write(configOf(64, "98.0.0.0/8", "10m"));
  const flags = [`--backend=${backend}`, `--config=${volume.file}`, `--metrics-address=127.0.0.1:${port}`];
  await using agent = startAgent(lab.launcher, [...flags, "--protect-rules=off", "--v=2"]);
  await agent.line(({ msg }) => msg.startsWith("rules"));
  await rest(1_000);
  const pid = agent.child.pid ?? 0;
  const wrong = await sampler(lab);
  const before = { ...(await cpu(pid)), writes: await writes(lab), at: performance.now() };
  const until = performance.now() + seconds * 1_000;
  const [, tamperings] = await Promise.all([wrong.until(until), tamperUntil(lab, backend, 1_000 / perSecond, until)]);
  const after = { ...(await cpu(pid)), writes: await writes(lab), at: performance.now() };
  const share = (milliseconds: number) => milliseconds / (after.at - before.at);
  return {
    tamperings,
    wrongShare: wrong.share(),
    longestRepairMs: Math.max(0, ...agent.log.map(({ afterMs }) => (typeof afterMs === "number" ? afterMs : 0))),
    cpuShare: share(after.all - before.all),
    monitorShare: share(after.monitor - before.monitor),
    writes: after.writes - before.writes,
  };
}

async function tamperUntil(lab: Lab, backend: string, everyMs: number, until: number): Promise<number> {
  const command =
    backend === "nftables"
      ? ["nft", "flush", "chain", "ip", "ip-masq-agent", "postrouting"]
      : [backend, "-w", "5", "-t", "nat", "-F", "IP-MASQ-AGENT"];
  let count = 0;
  for (let next = performance.now(); next < until; next += everyMs) {
    await rest(Math.max(0, next - performance.now()));
    const { exitCode, stderr } = await lab.run(command);
    if (exitCode !== 0) throw new Error(stderr);
    count++;
  }
  return count;
}

interface Sampler {
  until(time: number): Promise<void>;
  share(): number;
}

async function sampler(lab: Lab): Promise<Sampler> {
  const send = async () => (await lab.send([{ family: "IPv4", destination: "99.99.1.1" }]))[0]?.source;
  // The first packet starts sender and receiver.
  await send();
  let [sent, wrong] = [0, 0];
  return {
    async until(time) {
      while (performance.now() < time) {
        const at = performance.now();
        if ((await send()) !== lab.node.IPv4) wrong++;
        sent++;
        await rest(Math.max(0, 10 - (performance.now() - at)));
      }
    },
    share: () => wrong / sent,
  };
}

/** CPU of the agent, its ended children, and those that live, of which one is `nft monitor`. */
async function cpu(pid: number): Promise<{ readonly all: number; readonly monitor: number }> {
  let [all, monitor] = [await cpuOf(pid), 0];
  for (const child of await childrenOf(pid)) {
    const used = await cpuOf(child).catch(() => 0);
    all += used;
    const command = await readFile(`/proc/${child}/cmdline`, "utf8").catch(() => "");
    if (command.includes("\0monitor\0")) monitor += used;
  }
  return { all, monitor };
}

async function writes(lab: Lab): Promise<number> {
  const script = `console.log(await (await fetch("http://127.0.0.1:${port}/metrics")).text())`;
  const { stdout } = await lab.run([process.execPath, "--input-type=module", "-e", script]);
  // What was undone before it could be read back is a failure, and was written all the same.
  const counts = stdout.matchAll(
    /^ip_masq_agent_(?:syncs_total\{.*result="applied"\}|apply_failures_total\{.*reason="other"\}) (\d+)$/gm,
  );
  return [...counts].reduce((sum, [, value]) => sum + Number(value), 0);
}
