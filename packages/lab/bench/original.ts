import { cpuOf, type Lab, type Memory, memoryOf } from "../src/index.ts";
import { startServer } from "../src/server.ts";
import { configOf } from "./config-volume.ts";
import { until } from "./measure.ts";

/** What can be measured of the Go original from outside. */
export interface OriginalFigures {
  readonly startMs: number;
  readonly resyncCpuMs: number;
  readonly memory: Memory;
}

const seconds = 5;

/** Runs the original's binary on the lab's node, with a /etc/config of its own and a resync every second. */
export async function measureOriginal(lab: Lab, binary: string, count: number): Promise<OriginalFigures> {
  const prepare = [
    "mount -t tmpfs tmpfs /mnt",
    "mkdir /mnt/upper /mnt/work",
    "mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc",
    "mkdir -p /etc/config",
  ];
  for (const line of prepare) await must(lab, line.split(" "));
  await must(lab, ["tee", "/etc/config/ip-masq-agent"], configOf(count, "98.0.0.0/8", "1s"));
  const started = performance.now();
  await using original = startServer([...lab.launcher, binary]);
  const { pid } = original;
  let startMs = Number.NaN;
  const masquerades = async () => {
    startMs = await until(lab, lab.node.IPv4, started);
    return true;
  };
  await original.ready(masquerades, 60_000);
  const before = await cpuOf(pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return { startMs, resyncCpuMs: ((await cpuOf(pid)) - before) / seconds, memory: await memoryOf(pid) };
}

async function must(lab: Lab, command: readonly string[], input?: string): Promise<void> {
  const { exitCode, stderr } = await lab.run(command, input);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}
