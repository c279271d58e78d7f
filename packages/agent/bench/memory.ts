import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAgent } from "@ip-masq-agent/lab";
import { type ControlPlane, writeConfig } from "./control-plane.ts";

/** V8 gives memory back after some seconds of rest. */
const restMs = 12_000;

const variants = [
  ["none of them", []],
  ["--config-map", ["--config-map=kube-system/ip-masq-agent"]],
  ["--exempt-pod-cidrs", ["--exempt-pod-cidrs"]],
  ["--events", ["--events"]],
  ["all three", ["--config-map=kube-system/ip-masq-agent", "--exempt-pod-cidrs", "--events"]],
] as const;

/** The real agent at rest, with each feature: what stays resident, in MB, beside the agent without any. */
export async function measureMemory(plane: ControlPlane): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-bench-"));
  try {
    const config = join(directory, "config");
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "bench" }, spec: { podCIDRs: ["10.9.0.0/24"] } };
    const asked = { verb: "create", resource: "nodes" } as const;
    const body = { ...node, spec: { ...node.spec, podCIDR: "10.9.0.0/24" } };
    await plane.api.call({ asked, path: "/api/v1/nodes", method: "POST", body, signal: AbortSignal.timeout(30_000) });
    let base: readonly number[] | undefined;
    for (const [name, flags] of variants) {
      const runs: (readonly number[])[] = [];
      for (let run = 0; run < 3; run++) runs.push(await resident(plane, directory, config, flags));
      const figures = [0, 1].map((at) => median(runs.map((one) => one[at] ?? Number.NaN)));
      base ??= figures;
      const [rss = 0, anonymous = 0] = figures;
      const more = figures.map((figure, at) => figure - (base?.[at] ?? 0));
      console.log(
        `${name.padEnd(20)} resident ${rss.toFixed(1)} MB (${more[0]?.toFixed(1)} more), anonymous ${anonymous.toFixed(1)} MB (${more[1]?.toFixed(1)} more)`,
      );
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function resident(
  plane: ControlPlane,
  directory: string,
  config: string,
  flags: readonly string[],
): Promise<readonly [number, number]> {
  const file = flags.some((flag) => flag.startsWith("--config-map")) ? [] : [`--config=${config}`];
  const api = [`--kubeconfig=${plane.kubeconfig}`, "--node-name=bench", `--cache-dir=${directory}/cache`];
  const write = async (text: string) => {
    await Promise.all([writeFile(config, text), writeConfig(plane.api, text, false)]);
  };
  await write("nonMasqueradeCIDRs: [10.0.0.0/8]");
  await using agent = startAgent([], ["--backend=nftables", "--metrics-address=", ...file, ...api, ...flags]);
  await agent.line(({ msg }) => msg.startsWith("rules"));
  // Something to tell: a config refused is an Event, where there are Events.
  await write("nonMasqueradeCIDRs: [10.0.0.1/8]");
  await agent.line(({ msg }) => msg.startsWith("the config is not valid"));
  await write("nonMasqueradeCIDRs: [11.0.0.0/8]");
  await new Promise((resolve) => setTimeout(resolve, restMs));
  const status = await readFile(`/proc/${agent.child.pid}/status`, "utf8");
  const field = (name: string) => (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024) / 1e6;
  return [field("VmRSS"), field("RssAnon")];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
