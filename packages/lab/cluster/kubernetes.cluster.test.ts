import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agentProcess, nodes, system } from "./agents.ts";
import { type ApiServer, apiServerOf, strangeKey } from "./api-server.ts";
import { noCluster } from "./cluster.ts";
import { configOf, openSide, pods, type Side, usual, watchUp } from "./cluster-side.ts";
import { noKustomize } from "./manifests.ts";
import { targets } from "./outside.ts";
import { pause } from "./traffic.ts";

const reason = noCluster() ?? (await noKustomize());
if (reason !== undefined) process.stderr.write(`the cluster's side is not tried: ${reason}\n`);

describe.skipIf(reason !== undefined)("the cluster's side, on a Kubernetes of two nodes", () => {
  let side: Side;
  let apiServer: ApiServer;
  beforeAll(async () => {
    side = await openSide();
    apiServer = await apiServerOf(side.cluster, side.agents);
  });
  afterAll(() => side?.[Symbol.asyncDispose]());

  async function events(node: number): Promise<readonly { reason: string; count: number; message: string }[]> {
    const text = await side.cluster.kubectl(["get", "events", "-n", "default", "-o", "json"]);
    const { items } = JSON.parse(text) as {
      items: { reason: string; count: number; message: string; source: { component: string; host: string } }[];
    };
    return items.filter(({ source }) => source.component === "ip-masq-agent" && source.host === `node${node}`);
  }

  test("an edit of the mounted ConfigMap takes the kubelet's time, an edit through the API some milliseconds", async () => {
    const edit = async (exempt: string) => {
      const from = performance.now();
      await side.writeConfig(configOf(pods, `${exempt}/32`));
      return Math.round(await side.traffic.settled([exempt], from));
    };
    await side.deploy("iptables", []);
    await side.traffic.settled([targets.exempt], performance.now());
    const volume = [await edit(targets.other), await edit(targets.exempt)];
    await side.deploy("iptables", ["config-map"]);
    await side.watched("configmaps", 1);
    const api: number[] = [];
    for (let at = 0; at < 10; at++) api.push(await edit(at % 2 === 0 ? targets.other : targets.exempt));
    process.stderr.write(
      `from the start of kubectl to the last packet by the old config: through the API ${api.join(", ")} ms; by the volume, with the kubelet looking every 10 s, ${volume.join(", ")} ms\n`,
    );
    for (const milliseconds of api) expect(milliseconds).toBeLessThan(1_000);
  });

  test("deleted and made again, as kubectl replace --force does: not one packet goes wrong", async () => {
    const wrong = await side.traffic.wrongWhile(async () => {
      await side.cluster.kubectl(["delete", ...system, "configmap", "ip-masq-agent"]);
      await side.writeConfig(usual);
    });
    expect(wrong).toEqual([]);
  });

  test("the node's own pod ranges are exempt, and explain says by whom", async () => {
    await side.cluster.kubectl([
      "patch",
      "node",
      "node1",
      "--type=merge",
      "-p",
      '{"spec":{"podCIDR":"203.0.113.0/27","podCIDRs":["203.0.113.0/27"]}}',
    ]);
    await side.writeConfig(configOf(`${targets.exempt}/32`));
    await side.deploy("iptables");
    await expect
      .poll(() => side.agents.ask(1, "explain", "203.0.113.5", "--as-agent"), { timeout: 20_000 })
      .toMatch(/203\.0\.113\.0\/27 +node node1, spec\.podCIDRs/);
    const other = await side.agents.ask(2, "status");
    expect(other).toContain("node node2: spec.podCIDRs: is empty");
    await side.writeConfig(usual);
  });

  test("a config refused and accepted again, and drift: Events on the Node, a handful for a hundred repairs", async () => {
    await side.writeConfig("nonMasqueradeCIDRs: [10.1.2.3/8]\n");
    await expect
      .poll(async () => (await events(1)).map(({ reason: own }) => own), { timeout: 20_000 })
      .toContain("ConfigRejected");
    await side.writeConfig(usual);
    await expect
      .poll(async () => (await events(1)).map(({ reason: own }) => own), { timeout: 20_000 })
      .toContain("ConfigAccepted");
    // In a conflict a write is read back by the next pass; what that finds changed again counts as a failed repair.
    const repairs = async () => {
      const labels = 'backend="iptables-nft",ip_family="IPv4"';
      const counts = await Promise.all(
        ["repaired", "failed"].map((result) =>
          side.agents.metric(1, `ip_masq_agent_drift_repairs_total{${labels},result="${result}"}`),
        ),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    };
    const before = await repairs();
    for (let at = 0; at < 100; at++) await side.repaired(1, await side.tamper(1));
    // The last one is read back within seconds.
    await expect.poll(async () => (await repairs()) - before, { timeout: 30_000 }).toBeGreaterThanOrEqual(100);
    // The first ones are told as repairs; then somebody evidently goes on, which is told once, and no longer one by one.
    const told = async () =>
      (await events(1)).filter(({ reason: own }) => own === "DriftRepaired" || own === "RulesContested");
    await expect
      .poll(async () => (await told()).map(({ reason: own }) => own).toSorted(), { timeout: 90_000, interval: 1_000 })
      .toEqual(["DriftRepaired", "RulesContested"]);
    // The second write comes after half a minute, with the repairs before the conflict.
    await expect
      .poll(async () => (await told()).find(({ reason: own }) => own === "DriftRepaired")?.count ?? 0, {
        timeout: 90_000,
        interval: 1_000,
      })
      .toBeGreaterThan(1);
    const contested = (await told()).find(({ reason: own }) => own === "RulesContested");
    expect(contested?.count).toBe(1);
    const described = await side.cluster.kubectl(["describe", "node", "node1"]);
    for (const word of ["ConfigRejected", "ConfigAccepted", "DriftRepaired", "RulesContested", "ip-masq-agent"])
      expect(described).toContain(word);
    process.stderr.write(
      `Events of a hundred repairs: ${(await told()).map(({ count, message }) => `${count} times: ${message}`).join("; ")}\n`,
    );
  });

  test("a backend switched is told on the Node", async () => {
    await side.deploy("nftables");
    await expect
      .poll(async () => (await events(1)).find(({ reason: own }) => own === "BackendSwitched")?.message, {
        timeout: 30_000,
      })
      .toContain("nftables now; those in iptables-nft have been removed");
    await side.deploy("iptables");
  });

  test("the API server stopped for a minute, an agent restarted meanwhile, tokens refused, history compacted: rules stay, repair goes on, the watch comes back", async () => {
    await side.watched("configmaps", 1);
    await side.watched("nodes", 1);
    const lines = async (node: 1 | 2, text: string) =>
      (await side.agents.log(node)).filter((line) => line.includes(text)).length;
    const before = await Promise.all(nodes.map((node) => lines(node, "cannot be watched")));
    const wrong = await side.traffic.wrongWhile(async () => {
      await apiServer.stop();
      const stopped = performance.now();
      await side.watched("configmaps", 0);
      for (const node of nodes) await side.repaired(node, await side.tamper(node));
      const [agent] = await side.agents.processes(1, agentProcess);
      await side.cluster.onNode(1, ["kill", "-9", agent ?? ""]);
      await expect
        .poll(() => lines(1, "the cached copy of that time is in force"), { timeout: 60_000, interval: 500 })
        .toBeGreaterThan(0);
      await expect.poll(() => side.agents.metric(1, watchUp("configmaps")), { timeout: 30_000 }).toBe(0);
      await expect
        .poll(() => side.agents.metric(1, "ip_masq_agent_config_last_reload_successful"), { timeout: 30_000 })
        .toBe(1);
      await side.repaired(1, await side.tamper(1));
      await pause(Math.max(0, 60_000 - (performance.now() - stopped)));

      const key = join(side.scratch, "strange.key");
      await strangeKey(key);
      await apiServer.start({ "service-account-key-file": key });
      for (const node of nodes) {
        const refused = 'ip_masq_agent_api_failures_total{resource="configmaps",reason="unauthorized"}';
        await expect
          .poll(() => side.agents.metric(node, refused), { timeout: 60_000, interval: 500 })
          .toBeGreaterThan(0);
      }
      for (const node of nodes) await side.repaired(node, await side.tamper(node));
      await apiServer.stop();
      await apiServer.start();
      await apiServer.compact();
      await side.watched("configmaps", 1);
      await side.watched("nodes", 1);
    });
    expect(wrong).toEqual([]);
    // Node 2's agent was there all the time, and its watch began before the history that is now gone.
    expect(
      await side.agents.metric(2, 'ip_masq_agent_api_failures_total{resource="configmaps",reason="gone"}'),
    ).toBeGreaterThan(0);
    const told = (await lines(2, "cannot be watched")) - (before[1] ?? 0);
    // Two objects, each for two reasons or, as connections go, three.
    expect(told).toBeLessThanOrEqual(2 * 3);
    const from = performance.now();
    await side.writeConfig(configOf(pods, `${targets.other}/32`));
    expect(await side.traffic.settled([targets.other], from)).toBeLessThan(1_000);
    await side.writeConfig(usual);
    await side.traffic.settled([targets.exempt], performance.now());
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
      await side.deploy("iptables");
      await side.cluster.kubectl(["delete", kind, ...name]);
      await side.cluster.kubectl(["rollout", "restart", ...system, "daemonset/ip-masq-agent"]);
      await side.agents.rolledOut();
      await side.repaired(1, await side.tamper(1));
      await side.writeConfig("nonMasqueradeCIDRs: [10.1.2.3/8]\n");
      const said = async () =>
        (await side.cluster.kubectl(["logs", ...system, "-l", "k8s-app=ip-masq-agent", "--tail=-1"])).includes(message);
      await expect.poll(said, { timeout: 60_000, interval: 500 }).toBe(true);
      if (component !== "events") expect(await side.agents.ask(1, "status")).toContain(message);
      await side.writeConfig(usual);
      await side.deploy("iptables");
      if (component === "events") return;
      await side.watched(component === "config-map" ? "configmaps" : "nodes", 1);
    },
  );
});
