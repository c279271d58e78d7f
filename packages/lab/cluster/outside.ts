import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Cluster, start } from "./cluster.ts";

/** A packet as it arrived outside. */
export interface Arrival {
  /** Milliseconds of performance.now(). */
  readonly at: number;
  readonly source: string;
  readonly pod: string;
  readonly target: string;
}

/** A host beyond the nodes, with two addresses, that hears every packet of the workload. */
export interface Outside extends AsyncDisposable {
  readonly arrivals: readonly Arrival[];
  /** Arrivals from this moment on. */
  since(at: number): readonly Arrival[];
}

/** Exempt in the tests' config, and not. */
export const targets = { exempt: "198.51.100.50", other: "198.51.100.60" } as const;

const receiver = fileURLToPath(new URL("receiver.js", import.meta.url));

/** Plugs the host into node 1's bridge, which node 2's packets cross as well. */
export async function openOutside(cluster: Cluster): Promise<Outside> {
  for (const line of [
    "ip netns add outside",
    "ip link add out0 type veth peer name eth0 netns outside",
    "ip link set out0 master node0 up",
    `ip -n outside addr add ${targets.exempt}/24 dev eth0`,
    `ip -n outside addr add ${targets.other}/24 dev eth0`,
    "ip -n outside link set eth0 up",
    "ip -n outside link set lo up",
  ]) {
    const { exitCode, stderr } = await cluster.onNode(1, line.split(" "));
    if (exitCode !== 0) throw new Error(`${line}: ${stderr}`);
  }
  const child = start([...cluster.launcher(1), "ip", "netns", "exec", "outside", process.execPath, receiver]);
  if (child.stdout === null || child.stdin === null) throw new Error("the receiver has no pipes");
  const { stdin } = child;
  const arrivals: Arrival[] = [];
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the receiver outside ended with exit code ${code}; its stderr is above`);
  });
  await Promise.race([once(lines, "line"), ended]);
  lines.on("line", (line) => {
    const [source = "", pod = "", target = ""] = line.split(" ");
    arrivals.push({ at: performance.now(), source, pod, target });
  });
  return {
    arrivals,
    since: (at) => arrivals.filter((arrival) => arrival.at >= at),
    async [Symbol.asyncDispose]() {
      const gone = once(child, "exit");
      stdin.end();
      await gone;
    },
  };
}
