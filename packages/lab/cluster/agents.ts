import type { Cluster } from "./cluster.ts";

export const system = ["-n", "kube-system"] as const;
export const nodes = [1, 2] as const;
export type NodeNumber = (typeof nodes)[number];

/** The agents of a cluster as its tests see them: rolled out, asked, counted. */
export interface Agents {
  apply(manifest: string): Promise<void>;
  rolledOut(): Promise<void>;
  /** The value of the first series whose line begins so, as the node's agent serves it; NaN: there is none. */
  metric(node: NodeNumber, name: string): Promise<number>;
  /** Process ids on the node of programs whose command line matches. */
  processes(node: NodeNumber, pattern: string): Promise<readonly string[]>;
  /** How often containers of the agent were started again, all in all. */
  restarts(): Promise<number>;
  /** A command of the agent's program in the agent's pod on the node, as text. */
  ask(node: NodeNumber, ...words: readonly string[]): Promise<string>;
  /** What all agents that ran on the node have logged since they were last counted from 0; does not need the API. */
  log(node: NodeNumber): Promise<readonly string[]>;
}

export const agentProcess = "^/usr/bin/node /usr/bin/ip-masq-agent";

export function agentsOf(cluster: Cluster): Agents {
  const selector = ["-l", "k8s-app=ip-masq-agent"] as const;
  async function rolledOut(): Promise<void> {
    await cluster.kubectl(["rollout", "status", ...system, "daemonset/ip-masq-agent", "--timeout=180s"]);
  }
  return {
    rolledOut,
    async apply(manifest) {
      await cluster.kubectl(["apply", "-f", "-"], manifest);
      await rolledOut();
    },
    async metric(node, name) {
      const script = "console.log(await (await fetch('http://127.0.0.1:10266/metrics')).text())";
      const { stdout } = await cluster.onNode(node, [process.execPath, "--input-type=module", "-e", script]);
      const line = stdout.split("\n").find((text) => text.startsWith(name) && !text.startsWith("#"));
      return Number(line?.slice(line.lastIndexOf(" ")) ?? Number.NaN);
    },
    async processes(node, pattern) {
      const script = `for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -qE '${pattern}' && echo \${p#/proc/}; done`;
      return (await cluster.onNode(node, ["sh", "-c", script])).stdout.split("\n").filter(Boolean);
    },
    async restarts() {
      const template = "{range .items[*]}{.status.containerStatuses[0].restartCount}{'\\n'}{end}";
      const text = await cluster.kubectl(["get", "pods", ...system, ...selector, `-o=jsonpath=${template}`]);
      return text.split("\n").reduce((sum, count) => sum + Number(count), 0);
    },
    async ask(node, ...words) {
      const here = `--field-selector=spec.nodeName=node${node},status.phase=Running`;
      const name = ["get", "pods", ...system, ...selector, here, "-o=jsonpath={.items[0].metadata.name}"];
      const pod = await cluster.kubectl(name);
      return cluster.kubectl(["exec", ...system, pod, "--", "ip-masq-agent", ...words]);
    },
    async log(node) {
      const script = "cat /var/log/pods/kube-system_ip-masq-agent-*/ip-masq-agent/*.log";
      return (await cluster.onNode(node, ["sh", "-c", script])).stdout.split("\n");
    },
  };
}
