import type { Lab } from "../src/index.ts";
import { agentFile, startAgent } from "../src/index.ts";
import { type ConfigVolume, configOf } from "./config-volume.ts";

export interface ExplainFigures {
  /** The whole command, from its start to its end, ms. */
  readonly explainMs: readonly number[];
  /** Node itself, doing nothing, ms: the baseline. */
  readonly nodeMs: readonly number[];
}

const rounds = 7;

/** Times `explain` of one exempt address, with the rules of this backend in the kernel. */
export async function measureExplain(
  lab: Lab,
  volume: ConfigVolume,
  backend: string,
  count: number,
): Promise<ExplainFigures> {
  await volume.write(configOf(count, "98.0.0.0/8", "10m"));
  const flags = [`--config=${volume.file}`, "--metrics-address="];
  await using agent = startAgent(lab.launcher, [...flags, `--backend=${backend}`]);
  await agent.line(({ msg }) => msg.startsWith("rules"));
  const explainMs: number[] = [];
  const nodeMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    explainMs.push(await timed(lab, [process.execPath, agentFile, "explain", "98.1.2.3", ...flags]));
    nodeMs.push(await timed(lab, [process.execPath, "-e", "0"]));
  }
  return { explainMs, nodeMs };
}

async function timed(lab: Lab, command: readonly string[]): Promise<number> {
  const started = performance.now();
  const { exitCode, stderr } = await lab.run(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return performance.now() - started;
}
