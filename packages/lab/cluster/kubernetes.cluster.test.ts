import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Agents, agentProcess, agentsOf, nodes, system } from "./agents.ts";
import { type ApiServer, apiServerOf, strangeKey } from "./api-server.ts";
import { type Cluster, noCluster, openCluster } from "./cluster.ts";
import { buildImage, imageName, imageTag } from "./image.ts";
import { kustomized, noKustomize } from "./manifests.ts";
import { type Outside, openOutside, targets } from "./outside.ts";
import { pause, type Traffic, trafficOf } from "./traffic.ts";
import { deployWorkload } from "./workload.ts";

const reason = noCluster() ?? (await noKustomize());
if (reason !== undefined) process.stderr.write(`the cluster's side is not tried: ${reason}\n`);

const image = { name: imageName, tag: imageTag };
const pods = "203.0.113.0/24";
const configOf = (...cidrs: readonly string[]) =>
  `nonMasqueradeCIDRs:\n${cidrs.map((cidr) => `  - ${cidr}\n`).join("")}resyncInterval: 1h\n`;
const usual = configOf(pods, `${targets.exempt}/32`);
const all = ["config-map", "events", "exempt-pod-cidrs"] as const;
const plugin = fileURLToPath(new URL("../../agent/dist/kubectl-masq.js", import.meta.url));

describe.skipIf(reason !== undefined)("the cluster's side, on a Kubernetes of two nodes", () => {
  let cluster: Cluster;
  let outside: Outside;
  let agents: Agents;
  let traffic: Traffic;
  let apiServer: ApiServer;
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "ip-masq-agent-cluster-"));
    await symlink(plugin, join(scratch, "kubectl-masq"));
    await using built = await buildImage();
    cluster = await openCluster();
    await cluster.importImage(built.tar);
    agents = agentsOf(cluster);
    apiServer = await apiServerOf(cluster, agents);
    outside = await openOutside(cluster);
    traffic = trafficOf(outside);
    await deployWorkload(cluster);
    await writeConfig(usual);
  });
  afterAll(async () => {
    await outside?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  });

  async function writeConfig(text: string): Promise<void> {
    const metadata = { name: "ip-masq-agent", namespace: "kube-system" };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "ip-masq-agent": text } };
    await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(object));
  }

  async function deploy(overlay: string, components: readonly string[] = all): Promise<void> {
    await agents.apply(await kustomized(`overlays/${overlay}`, image, components));
  }

  /** As a person with kubectl would, on node 1, with the administrator's credentials. */
  async function masq(...words: readonly string[]): Promise<CommandResult> {
    const path = `${scratch}:${dirname(process.execPath)}:${process.env["PATH"]}`;
    return cluster.onNode(1, ["env", `PATH=${path}`, "kubectl", "masq", ...words]);
  }

  async function events(node: number): Promise<readonly { reason: string; count: number; message: string }[]> {
    const text = await cluster.kubectl(["get", "events", "-n", "default", "-o", "json"]);
    const { items } = JSON.parse(text) as {
      items: { reason: string; count: number; message: string; source: { component: string; host: string } }[];
    };
    return items.filter(({ source }) => source.component === "ip-masq-agent" && source.host === `node${node}`);
  }

  const watchUp = (resource: string) => `ip_masq_agent_api_watch_up{resource="${resource}"}`;

  async function watched(resource: string, up: 0 | 1): Promise<void> {
    for (const node of nodes)
      await expect.poll(() => agents.metric(node, watchUp(resource)), { timeout: 60_000, interval: 250 }).toBe(up);
  }

  /** Adds a rule to our chain on a node, of a range that no other call adds; gives what to look for. */
  let tampered = 0;
  async function tamper(node: 1 | 2): Promise<string> {
    const range = `9.${tampered >> 8}.${tampered++ & 255}.0/24`;
    await cluster.onNode(node, ["iptables-nft", "-t", "nat", "-A", "IP-MASQ-AGENT", "-d", range, "-j", "RETURN"]);
    return range;
  }

  async function repaired(node: 1 | 2, range: string): Promise<void> {
    const rules = async () => (await cluster.onNode(node, ["iptables-nft-save", "-t", "nat"])).stdout;
    await expect.poll(async () => (await rules()).includes(range), { timeout: 10_000, interval: 50 }).toBe(false);
  }

  test("an edit of the mounted ConfigMap takes the kubelet's time, an edit through the API some milliseconds", async () => {
    const edit = async (exempt: string) => {
      const from = performance.now();
      await writeConfig(configOf(pods, `${exempt}/32`));
      return Math.round(await traffic.settled([exempt], from));
    };
    await deploy("iptables", []);
    await traffic.settled([targets.exempt], performance.now());
    const volume = [await edit(targets.other), await edit(targets.exempt)];
    await deploy("iptables", ["config-map"]);
    await watched("configmaps", 1);
    const api: number[] = [];
    for (let at = 0; at < 10; at++) api.push(await edit(at % 2 === 0 ? targets.other : targets.exempt));
    process.stderr.write(
      `from the start of kubectl to the last packet by the old config: through the API ${api.join(", ")} ms; by the volume, with the kubelet looking every 10 s, ${volume.join(", ")} ms\n`,
    );
    for (const milliseconds of api) expect(milliseconds).toBeLessThan(1_000);
  });

  test("deleted and made again, as kubectl replace --force does: not one packet goes wrong", async () => {
    const wrong = await traffic.wrongWhile(async () => {
      await cluster.kubectl(["delete", ...system, "configmap", "ip-masq-agent"]);
      await writeConfig(usual);
    });
    expect(wrong).toEqual([]);
  });

  test("the node's own pod ranges are exempt, and explain says by whom", async () => {
    await cluster.kubectl([
      "patch",
      "node",
      "node1",
      "--type=merge",
      "-p",
      '{"spec":{"podCIDR":"203.0.113.0/27","podCIDRs":["203.0.113.0/27"]}}',
    ]);
    await writeConfig(configOf(`${targets.exempt}/32`));
    await deploy("iptables");
    await expect
      .poll(() => agents.ask(1, "explain", "203.0.113.5", "--as-agent"), { timeout: 20_000 })
      .toMatch(/203\.0\.113\.0\/27 +node node1, spec\.podCIDRs/);
    const other = await agents.ask(2, "status");
    expect(other).toContain("node node2: spec.podCIDRs: is empty");
    await writeConfig(usual);
  });

  test("a config refused and accepted again, and drift: Events on the Node, a handful for a hundred repairs", async () => {
    await writeConfig("nonMasqueradeCIDRs: [10.1.2.3/8]\n");
    await expect
      .poll(async () => (await events(1)).map(({ reason: own }) => own), { timeout: 20_000 })
      .toContain("ConfigRejected");
    await writeConfig(usual);
    await expect
      .poll(async () => (await events(1)).map(({ reason: own }) => own), { timeout: 20_000 })
      .toContain("ConfigAccepted");
    const before = await agents.metric(
      1,
      'ip_masq_agent_drift_repairs_total{backend="iptables-nft",ip_family="IPv4",result="repaired"}',
    );
    for (let at = 0; at < 100; at++) await repaired(1, await tamper(1));
    const after = await agents.metric(
      1,
      'ip_masq_agent_drift_repairs_total{backend="iptables-nft",ip_family="IPv4",result="repaired"}',
    );
    expect(after - before).toBeGreaterThanOrEqual(100);
    const told = async () => (await events(1)).filter(({ reason: own }) => own === "DriftRepaired");
    // The second write comes after half a minute.
    await expect
      .poll(async () => (await told())[0]?.count ?? 0, { timeout: 90_000, interval: 1_000 })
      .toBeGreaterThanOrEqual(100);
    expect(await told()).toHaveLength(1);
    const described = await cluster.kubectl(["describe", "node", "node1"]);
    for (const word of ["ConfigRejected", "ConfigAccepted", "DriftRepaired", "ip-masq-agent"])
      expect(described).toContain(word);
    process.stderr.write(
      `Events of a hundred repairs: ${(await told()).map(({ count, message }) => `${count} times: ${message}`).join("; ")}\n`,
    );
  });

  test("a backend switched is told on the Node", async () => {
    await deploy("nftables");
    await expect
      .poll(async () => (await events(1)).find(({ reason: own }) => own === "BackendSwitched")?.message, {
        timeout: 30_000,
      })
      .toContain("nftables now; those in iptables-nft have been removed");
    await deploy("iptables");
  });

  test("the API server stopped for a minute, an agent restarted meanwhile, tokens refused, history compacted: rules stay, repair goes on, the watch comes back", async () => {
    await watched("configmaps", 1);
    await watched("nodes", 1);
    const lines = async (node: 1 | 2, text: string) =>
      (await agents.log(node)).filter((line) => line.includes(text)).length;
    const before = await Promise.all(nodes.map((node) => lines(node, "cannot be watched")));
    const wrong = await traffic.wrongWhile(async () => {
      await apiServer.stop();
      const stopped = performance.now();
      await watched("configmaps", 0);
      for (const node of nodes) await repaired(node, await tamper(node));
      const [agent] = await agents.processes(1, agentProcess);
      await cluster.onNode(1, ["kill", "-9", agent ?? ""]);
      await expect
        .poll(() => lines(1, "the cached copy of that time is in force"), { timeout: 60_000, interval: 500 })
        .toBeGreaterThan(0);
      await expect.poll(() => agents.metric(1, watchUp("configmaps")), { timeout: 30_000 }).toBe(0);
      await expect
        .poll(() => agents.metric(1, "ip_masq_agent_config_last_reload_successful"), { timeout: 30_000 })
        .toBe(1);
      await repaired(1, await tamper(1));
      await pause(Math.max(0, 60_000 - (performance.now() - stopped)));

      const key = join(scratch, "strange.key");
      await strangeKey(key);
      await apiServer.start({ "service-account-key-file": key });
      for (const node of nodes) {
        const refused = 'ip_masq_agent_api_failures_total{resource="configmaps",reason="unauthorized"}';
        await expect.poll(() => agents.metric(node, refused), { timeout: 60_000, interval: 500 }).toBeGreaterThan(0);
      }
      for (const node of nodes) await repaired(node, await tamper(node));
      await apiServer.stop();
      await apiServer.start();
      await apiServer.compact();
      await watched("configmaps", 1);
      await watched("nodes", 1);
    });
    expect(wrong).toEqual([]);
    // Node 2's agent was there all the time, and its watch began before the history that is now gone.
    expect(
      await agents.metric(2, 'ip_masq_agent_api_failures_total{resource="configmaps",reason="gone"}'),
    ).toBeGreaterThan(0);
    const told = (await lines(2, "cannot be watched")) - (before[1] ?? 0);
    // Two objects, each for two reasons or, as connections go, three.
    expect(told).toBeLessThanOrEqual(2 * 3);
    const from = performance.now();
    await writeConfig(configOf(pods, `${targets.other}/32`));
    expect(await traffic.settled([targets.other], from)).toBeLessThan(1_000);
    await writeConfig(usual);
    await traffic.settled([targets.exempt], performance.now());
  });

  test.each([
    [
      "config-map",
      "rolebinding",
      "kube-system",
      "may not list configmaps in namespace kube-system: it takes the verb list on configmaps",
    ],
    ["exempt-pod-cidrs", "clusterrolebinding", undefined, "may not list nodes: it takes the verb list on nodes"],
    [
      "events",
      "rolebinding",
      "default",
      "may not create events in namespace default: it takes the verb create on events",
    ],
  ])(
    "%s without its role says which right is missing, and with it works again",
    async (component, kind, namespace, message) => {
      const name = [`ip-masq-agent-${component}`, ...(namespace === undefined ? [] : ["-n", namespace])];
      await deploy("iptables");
      await cluster.kubectl(["delete", kind, ...name]);
      await cluster.kubectl(["rollout", "restart", ...system, "daemonset/ip-masq-agent"]);
      await agents.rolledOut();
      await repaired(1, await tamper(1));
      await writeConfig("nonMasqueradeCIDRs: [10.1.2.3/8]\n");
      const said = async () =>
        (await cluster.kubectl(["logs", ...system, "-l", "k8s-app=ip-masq-agent", "--tail=-1"])).includes(message);
      await expect.poll(said, { timeout: 60_000, interval: 500 }).toBe(true);
      if (component !== "events") expect(await agents.ask(1, "status")).toContain(message);
      await writeConfig(usual);
      await deploy("iptables");
      if (component === "events") return;
      await watched(component === "config-map" ? "configmaps" : "nodes", 1);
    },
  );

  test("kubectl masq: two alike, one on another backend, one that does not answer", async () => {
    await deploy("nftables");
    const [senders] = [
      JSON.parse(await cluster.kubectl(["get", "pods", "-l", "app=sender", "-o", "json"])) as {
        items: { metadata: { name: string }; spec: { nodeName: string } }[];
      },
    ];
    const alike = await masq("status");
    expect(alike).toMatchObject({ exitCode: 0, stderr: "" });
    expect(alike.stdout).toMatch(/^node1 +nftables [\d.]+ +[0-9a-f]{12} +in sync +\d+\+? +\d+$/m);
    expect(alike.stdout).toContain("2 nodes: 2 in sync");

    for (const { metadata, spec } of senders.items) {
      const one = await masq("explain", metadata.name, targets.exempt);
      expect(one).toMatchObject({ exitCode: 0 });
      expect(one.stdout).toContain(`pod default/${metadata.name}`);
      expect(one.stdout).toContain(`on ${spec.nodeName}`);
      expect(one.stdout).toContain("exempt: keeps the sender's address");
      expect((await masq("explain", metadata.name, targets.other)).stdout).toContain("leaves as");
    }
    expect((await masq("explain", "no-such-pod", targets.other)).stderr).toContain('pods "no-such-pod" not found');

    const examined = await masq("doctor");
    expect(examined.stdout).toContain("node1: ");
    expect(examined.stdout).toContain("node2: ");
    expect((await masq("doctor", "node2")).stdout).toMatch(/node2: [\s\S]*0 error/);
    expect(await masq("doctor", "node9")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("there is no node node9"),
    });

    // Only the pod that is deleted is made anew with the other backend.
    await cluster.kubectl([
      "patch",
      ...system,
      "daemonset/ip-masq-agent",
      "--type=json",
      "-p",
      '[{"op":"replace","path":"/spec/updateStrategy","value":{"type":"OnDelete"}},{"op":"replace","path":"/spec/template/spec/containers/0/args/0","value":"--backend=iptables"}]',
    ]);
    await cluster.kubectl([
      "delete",
      "pod",
      ...system,
      "-l",
      "k8s-app=ip-masq-agent",
      "--field-selector=spec.nodeName=node2",
      "--wait",
    ]);
    await expect
      .poll(async () => (await masq("status")).stdout, { timeout: 60_000, interval: 1_000 })
      .toContain("2 nodes: 2 in sync");
    const mixed = await masq("status");
    expect(mixed.exitCode).toBe(3);
    for (const line of ["node1: backend nftables", "node2: backend iptables-nft"])
      expect(mixed.stdout).toContain(`${line}; there is no majority`);

    const [agent] = await agents.processes(2, agentProcess);
    await cluster.onNode(2, ["kill", "-STOP", agent ?? ""]);
    const stopped = await masq("status");
    expect(stopped).toMatchObject({
      exitCode: 3,
      stdout: expect.stringContaining("no answer: ip-masq-agent: no agent answers"),
    });
    await cluster.onNode(2, ["kill", "-CONT", agent ?? ""]);

    const [kubelet] = await agents.processes(2, "/kubelet --config");
    await cluster.onNode(2, ["kill", "-STOP", kubelet ?? ""]);
    const from = performance.now();
    const silent = await masq("status", "--timeout=3s", "-o", "json");
    expect(performance.now() - from).toBeLessThan(15_000);
    expect(silent.exitCode).toBe(3);
    expect(JSON.parse(silent.stdout)).toMatchObject({
      nodes: [
        { node: "node1", inSync: true },
        { node: "node2", problem: "no answer in 3 s" },
      ],
    });
    await cluster.onNode(2, ["kill", "-CONT", kubelet ?? ""]);
    process.stderr.write(`kubectl masq status, with two backends:\n${mixed.stdout}`);
  });
});
