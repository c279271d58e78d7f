import type { AgentProcess, Lab } from "../src/index.ts";
import { startAgent } from "../src/index.ts";
import { type ConfigVolume, configOf } from "./config-volume.ts";

/**
 * From the end of the tool that tampers to the first packet that is masqueraded again, ms, over so many tamperings: a rule
 * before ours lets one destination keep its sender's address. No more than one in two seconds: beyond one a second repairs
 * wait for the agent's pace. With twenty it is a conflict all the same, whose repairs are debug lines.
 */
export async function measureRepair(
  lab: Lab,
  volume: ConfigVolume,
  backend: string,
  tamperings: number,
): Promise<readonly number[]> {
  await volume.write(configOf(64, "98.0.0.0/8", "10m"));
  const flags = [`--backend=${backend}`, `--config=${volume.file}`, "--metrics-address=", "--v=2"];
  await using agent = startAgent(lab.launcher, flags);
  await agent.line(({ msg }) => msg.startsWith("rules"));
  // The kernel's events are listened to by then, and that look is over.
  await rest(1_000);
  // The first packet starts sender and receiver.
  await lab.send([{ family: "IPv4", destination: "99.99.1.1" }]);
  const times: number[] = [];
  for (let round = 0; round < tamperings; round++) {
    times.push(await repairOf(lab, agent, backend, `99.${round}`));
    await rest(2_000);
  }
  return times;
}

async function repairOf(lab: Lab, agent: AgentProcess, backend: string, network: string): Promise<number> {
  const before = agent.log.length;
  const { exitCode, stderr } = await lab.run(tampering(backend, `${network}.0.0/16`));
  if (exitCode !== 0) throw new Error(stderr);
  const tampered = performance.now();
  for (;;) {
    const [arrival] = await lab.send([{ family: "IPv4", destination: `${network}.1.1` }]);
    const elapsed = performance.now() - tampered;
    if (arrival?.source === lab.node.IPv4) {
      await agent.line((line) => line.msg === "drift repaired" && agent.log.indexOf(line) >= before);
      return elapsed;
    }
    if (elapsed > 60_000) throw new Error("the tampering was not repaired within a minute");
    await rest(2);
  }
}

function tampering(backend: string, network: string): readonly string[] {
  return backend === "nftables"
    ? ["nft", "insert", "rule", "ip", "ip-masq-agent", "postrouting", "ip", "daddr", network, "accept"]
    : [backend, "-w", "5", "-t", "nat", "-I", "IP-MASQ-AGENT", "-d", network, "-j", "ACCEPT"];
}

function rest(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
