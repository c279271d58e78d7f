import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type Agents, agentsOf, type NodeNumber, nodes } from "./agents.ts";
import { type Cluster, openCluster } from "./cluster.ts";
import { buildImage, imageName, imageTag } from "./image.ts";
import { kustomized } from "./manifests.ts";
import { openOutside, targets } from "./outside.ts";
import { type Traffic, trafficOf } from "./traffic.ts";
import { deployWorkload } from "./workload.ts";

/** All components that have the agent ask the API. */
export const components = ["config-map", "events", "exempt-pod-cidrs"] as const;
export const pods = "203.0.113.0/24";
export const configOf = (...cidrs: readonly string[]): string =>
  `nonMasqueradeCIDRs:\n${cidrs.map((cidr) => `  - ${cidr}\n`).join("")}resyncInterval: 1h\n`;
export const usual: string = configOf(pods, `${targets.exempt}/32`);

/** A cluster of two nodes with workload and the usual ConfigMap, ready for agents that ask the API. */
export interface Side extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly agents: Agents;
  readonly traffic: Traffic;
  /** A folder for the test's own files. */
  readonly scratch: string;
  writeConfig(text: string): Promise<void>;
  deploy(overlay: string, chosen?: readonly string[]): Promise<void>;
  /** Resolves when the metric of both nodes' agents says so of their watch. */
  watched(resource: string, up: 0 | 1): Promise<void>;
  /** Adds a rule to our chain on a node, of a range that no other call adds; gives what to look for. */
  tamper(node: NodeNumber): Promise<string>;
  repaired(node: NodeNumber, range: string): Promise<void>;
}

export const watchUp = (resource: string): string => `ip_masq_agent_api_watch_up{resource="${resource}"}`;

export async function openSide(): Promise<Side> {
  await using opened = new AsyncDisposableStack();
  const scratch = await mkdtemp(join(tmpdir(), "ip-masq-agent-cluster-"));
  opened.defer(() => rm(scratch, { recursive: true, force: true }));
  await using built = await buildImage();
  const cluster = opened.use(await openCluster());
  await cluster.importImage(built.tar);
  const agents = agentsOf(cluster);
  const outside = opened.use(await openOutside(cluster));
  await deployWorkload(cluster);
  let tampered = 0;

  async function writeConfig(text: string): Promise<void> {
    const metadata = { name: "ip-masq-agent", namespace: "kube-system" };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "ip-masq-agent": text } };
    await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(object));
  }

  await writeConfig(usual);
  const kept = opened.move();
  return {
    ...{ cluster, agents, scratch, writeConfig, traffic: trafficOf(outside) },
    async deploy(overlay, chosen = components) {
      await agents.apply(await kustomized(`overlays/${overlay}`, { name: imageName, tag: imageTag }, chosen));
    },
    async watched(resource, up) {
      for (const node of nodes)
        await expect.poll(() => agents.metric(node, watchUp(resource)), { timeout: 60_000, interval: 250 }).toBe(up);
    },
    async tamper(node) {
      const range = `9.${tampered >> 8}.${tampered++ & 255}.0/24`;
      await cluster.onNode(node, ["iptables-nft", "-t", "nat", "-A", "IP-MASQ-AGENT", "-d", range, "-j", "RETURN"]);
      return range;
    },
    async repaired(node, range) {
      const rules = async () => (await cluster.onNode(node, ["iptables-nft-save", "-t", "nat"])).stdout;
      await expect.poll(async () => (await rules()).includes(range), { timeout: 10_000, interval: 50 }).toBe(false);
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
