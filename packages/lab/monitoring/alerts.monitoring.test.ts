import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openMetricsPage } from "../demo/metrics-page.ts";
import { type AgentProcess, createLab, type Lab, startAgent } from "../src/index.ts";
import { buildDashboard } from "./dashboard.ts";
import { deployments, poolLabel } from "./deployments.ts";
import { type DiscoveredNode, discovered, podName } from "./discovery.ts";
import { openKubeState, type PodState } from "./kube-state.ts";
import { drawDashboard, filled } from "./picture.ts";
import { type Monitoring, type Notification, noPrometheus, openMonitoring, promtool } from "./prometheus.ts";
import { readRules } from "./rules.ts";

const reason = noPrometheus();
if (reason !== undefined) process.stderr.write(`alerts are not tried on a real Prometheus: ${reason}\n`);
const { all: deployed, missing } = await deployments();
for (const why of missing) process.stderr.write(`alerts are not tried as deployed by ${why}\n`);

const port = 10266;
const usual = "nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 1s\n";
const nodes = { alpha: "nftables", beta: "iptables-legacy" } as const;
type NodeName = keyof typeof nodes;
type Labels = Readonly<Record<string, string>>;
const withKubeState = "chart-elsewhere";
const hasKubeState = deployed.some(({ cluster }) => cluster === withKubeState);

interface Node {
  readonly lab: Lab;
  readonly file: string;
  readonly address: string;
  agent: AgentProcess;
}

describe.skipIf(reason !== undefined)("alerts, from real agents to a webhook", () => {
  const stack = new AsyncDisposableStack();
  const running = new Map<NodeName, Node>();
  const states: PodState[] = [];
  let monitoring: Monitoring;
  let picture = "";

  beforeAll(async () => {
    picture = await mkdtemp(join(tmpdir(), "ip-masq-agent-picture-"));
    stack.defer(() => rm(picture, { recursive: true, force: true }));
    for (const name of ["alpha", "beta"] as const) {
      const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-alerts-"));
      stack.defer(() => rm(directory, { recursive: true, force: true }));
      const lab = stack.use(await createLab());
      const file = join(directory, "ip-masq-agent");
      await writeFile(file, usual);
      const agent = startOn(lab, file, nodes[name]);
      await agent.line(({ msg }) => msg.startsWith("rules"));
      const page = stack.use(await openMetricsPage(lab.launcher, directory, port));
      running.set(name, { lab, file, address: new URL(page.address).host, agent });
    }
    monitoring = stack.use(await openMonitoring(await scrapeConfigs()));
    await comesTrue(
      async () => (await monitoring.query('up{job="ip-masq-agent"} == 1')).length === 2 * deployed.length,
    );
    // Rates and increases take two scrapes.
    await pause(4_000);
  });
  afterAll(async () => {
    for (const { agent } of running.values()) await agent[Symbol.asyncDispose]();
    await stack.disposeAsync();
  });

  /** Every deployment is a cluster of its own; in that of the chart elsewhere there is kube-state-metrics too. */
  async function scrapeConfigs(): Promise<readonly object[]> {
    const nodesOf: readonly DiscoveredNode[] = [...running].map(([name, { address }]) => ({
      ...{ name, address, labels: { [poolLabel]: `pool-${name}` } },
    }));
    const agents = deployed.flatMap(({ cluster, daemonSet, scrapeConfigs }) =>
      scrapeConfigs.map((config) => ({
        ...discovered(config, daemonSet, nodesOf, cluster === "" ? {} : { cluster }),
        // The names of the operator's jobs are those of the PodMonitors, of which there is one in a cluster.
        job_name: config.job_name.startsWith("podMonitor/") ? `${config.job_name}/${cluster}` : config.job_name,
      })),
    );
    const observed = deployed.find(({ cluster }) => cluster === withKubeState);
    if (observed === undefined) return agents;
    const { namespace } = observed.daemonSet.metadata;
    for (const node of nodesOf) {
      const pod = podName(observed.daemonSet, node);
      states.push({ namespace, pod, node: node.name, ready: true, nodeReady: true });
    }
    const { address } = stack.use(await openKubeState(states));
    const labels = { cluster: withKubeState };
    return [
      ...agents,
      // honor_labels, as in kube-prometheus: its namespaces and pods are those that it tells of.
      { job_name: "kube-state-metrics", honor_labels: true, static_configs: [{ targets: [address], labels }] },
    ];
  }

  function startOn(lab: Lab, file: string, backend: string): AgentProcess {
    const flags = [`--backend=${backend}`, `--config=${file}`, `--metrics-address=127.0.0.1:${port}`];
    return startAgent(lab.launcher, [...flags, "--drift-check-interval=500ms"]);
  }

  function node(name: NodeName): Node {
    const found = running.get(name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  async function must(name: NodeName, ...command: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await node(name).lab.run(command);
    if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  }

  function told(from: number, status: string, alertname: string, labels: Labels): readonly Notification[] {
    return monitoring.notifications
      .slice(from)
      .filter(
        (one) =>
          one.status === status &&
          one.labels["alertname"] === alertname &&
          Object.entries(labels).every(([name, value]) => (one.labels[name] ?? "") === value),
      );
  }

  /** Waits for a notification that has come since `from`, of each of these clusters; resolves with one of the last. */
  async function notified(
    from: number,
    status: string,
    alertname: string,
    labels: Labels = {},
    clusters: readonly string[] = deployed.map(({ cluster }) => cluster),
  ): Promise<string> {
    let description = "";
    for (const cluster of clusters) {
      const wanted = { cluster, ...labels };
      await comesTrue(
        async () => {
          const [one] = told(from, status, alertname, wanted);
          description = one?.annotations["description"] ?? "";
          return one !== undefined;
        },
        `${alertname} ${status} ${JSON.stringify(wanted)}`,
      );
    }
    return description;
  }

  test("drift: told, and over by itself", async () => {
    const from = monitoring.notifications.length;
    await must("alpha", "nft", "flush", "chain", "ip", "ip-masq-agent", "postrouting");
    const description = await notified(from, "firing", "IPMasqAgentDriftDetected", { severity: "info" });
    expect(description).toMatch(/ Nodes: alpha\.$/);
    await notified(from, "resolved", "IPMasqAgentDriftDetected");
  });

  test("drift again and again: somebody else writes", async () => {
    const from = monitoring.notifications.length;
    for (let round = 0; round < 8; round++) {
      await must("alpha", "nft", "flush", "chain", "ip", "ip-masq-agent", "postrouting");
      await pause(300);
    }
    await notified(from, "firing", "IPMasqAgentDriftRepeated", { node: "alpha", severity: "warning" });
  });

  test("a bad config, and its correction", async () => {
    const from = monitoring.notifications.length;
    await writeFile(node("beta").file, "nonMasqueradeCIDRs: [10.1.2.3/8]\n");
    const description = await notified(from, "firing", "IPMasqAgentConfigRejected", { severity: "warning" });
    expect(description).toMatch(/ Nodes: beta\.$/);
    await writeFile(node("beta").file, usual);
    await notified(from, "resolved", "IPMasqAgentConfigRejected");
  });

  test("a config that is deleted, and restored", async () => {
    const from = monitoring.notifications.length;
    await rm(node("beta").file);
    const description = await notified(from, "firing", "IPMasqAgentConfigMissing", { severity: "warning" });
    expect(description).toMatch(/ Nodes: beta\.$/);
    await writeFile(node("beta").file, usual);
    await notified(from, "resolved", "IPMasqAgentConfigMissing");
  });

  test("nodes that decide differently, and one that exempts everything", async () => {
    const from = monitoring.notifications.length;
    await writeFile(node("beta").file, "nonMasqueradeCIDRs: [0.0.0.0/0]\nresyncInterval: 1s\n");
    // In one cluster the nodes are known to be of two pools, which may differ.
    const onePool = deployed.map(({ cluster }) => cluster).filter((cluster) => cluster !== withKubeState);
    await notified(from, "firing", "IPMasqAgentPoliciesDiffer", { severity: "warning" }, onePool);
    const description = await notified(from, "firing", "IPMasqAgentMasqueradesNothing", { ip_family: "IPv4" });
    expect(description).toMatch(/ Nodes: beta\.$/);
    await writeFile(node("beta").file, usual);
    await notified(from, "resolved", "IPMasqAgentPoliciesDiffer", {}, onePool);
    await notified(from, "resolved", "IPMasqAgentMasqueradesNothing");
    expect(told(from, "firing", "IPMasqAgentPoliciesDiffer", { cluster: withKubeState })).toEqual([]);
  });

  test("the lock held by another: writes fail, drift stays, and both end with it", async () => {
    const from = monitoring.notifications.length;
    const held = node("beta").lab.run(["flock", "/run/xtables.lock", "sleep", "55"]);
    await pause(500);
    await writeFile(node("beta").file, "nonMasqueradeCIDRs: [10.0.0.0/8, 12.0.0.0/8]\nresyncInterval: 1s\n");
    await notified(from, "firing", "IPMasqAgentApplyFailing", { node: "beta", severity: "critical" });
    // A program that does not take the lock; the agent sees what it did, and cannot write.
    const lockless = ["env", "XTABLES_LOCKFILE=/dev/null", "iptables-legacy", "-t", "nat"];
    await must("beta", ...lockless, "-F", "IP-MASQ-AGENT");
    await notified(from, "firing", "IPMasqAgentDriftUnrepaired", { node: "beta", severity: "critical" });
    await held;
    await notified(from, "resolved", "IPMasqAgentApplyFailing", { node: "beta" });
    await notified(from, "resolved", "IPMasqAgentDriftUnrepaired", { node: "beta" });
    await writeFile(node("beta").file, usual);
  });

  test.each(deployed)(
    "deployed by '$cluster': the labels that the rules ask for, and every panel gives data",
    async (one) => {
      const job = "ip-masq-agent";
      const { namespace } = one.daemonSet.metadata;
      const targets = await monitoring.query(`up{job="${job}", cluster="${one.cluster}"}`);
      expect(targets.map(({ metric }) => [metric["node"], metric["namespace"], metric["pod"]]).toSorted()).toEqual([
        ["alpha", namespace, "ip-masq-agent-alpha"],
        ["beta", namespace, "ip-masq-agent-beta"],
      ]);
      expect(await monitoring.query(`absent(up{job="${job}", cluster="${one.cluster}"})`)).toEqual([]);
      for (const [name, expr] of panelQueries({ job, cluster: one.cluster, one: "beta" })) {
        const series = await monitoring.range(expr, 60);
        expect({ name, expr, series: series.length > 0 }).toEqual({ name, expr, series: true });
        for (const { values } of series)
          expect(values.some(([, value]) => value !== "NaN") || name.startsWith("Sync, percentiles")).toBe(true);
      }
    },
  );

  const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));
  if (browser === undefined) process.stderr.write("the dashboard is not drawn: there is no chromium\n");
  test.skipIf(browser === undefined)("the dashboard, drawn from this run", async () => {
    for (let round = 0; round < 60; round++) {
      const destination = round % 3 === 0 ? "10.1.1.1" : `11.${round}.1.1`;
      for (const { lab } of running.values()) await lab.send([{ family: "IPv4", destination }]);
      await pause(250);
    }
    // PICTURE=docs/dashboard.png draws README's anew.
    const file = process.env["PICTURE"] ?? join(picture, "dashboard.png");
    await drawDashboard(monitoring, file, browser ?? "", { cluster: "example", one: "beta" });
    const drawn = await readFile(file);
    expect(drawn.subarray(1, 4).toString()).toBe("PNG");
    expect(drawn.byteLength).toBeGreaterThan(20_000);
  });

  test("a scrape is small, in both forms", async () => {
    for (const accept of ["text/plain", "application/openmetrics-text; version=1.0.0"]) {
      const response = await fetch(`http://${node("alpha").address}/metrics`, { headers: { accept } });
      expect(response.headers.get("content-type")).toContain(accept.split(";")[0]);
      expect((await response.text()).length).toBeLessThan(20_000);
    }
    const page = await (await fetch(`http://${node("alpha").address}/metrics`)).text();
    // promtool reads every line; its advice on names (exit code 3) is no failure.
    const { exitCode, stderr } = await execa(promtool, ["check", "metrics"], {
      input: page,
      reject: false,
      timeout: 10_000,
    });
    expect({ passes: exitCode === 0 || exitCode === 3, stderr }).toMatchObject({ passes: true });
    const [slowest] = await monitoring.query('max(scrape_duration_seconds{job="ip-masq-agent"})');
    process.stderr.write(`a scrape takes ${(Number(slowest?.value[1]) * 1000).toFixed(1)} ms\n`);
  });

  test("an agent that ends, and comes back", async () => {
    const from = monitoring.notifications.length;
    const alpha = node("alpha");
    const others = deployed.map(({ cluster }) => cluster).filter((cluster) => cluster !== withKubeState);
    await alpha.agent[Symbol.asyncDispose]();
    await notified(from, "firing", "IPMasqAgentDown", { node: "alpha", severity: "warning" }, others);
    alpha.agent = startOn(alpha.lab, alpha.file, nodes.alpha);
    await notified(from, "resolved", "IPMasqAgentDown", { node: "alpha" }, others);
    expect(told(from, "firing", "IPMasqAgentDown", { cluster: withKubeState })).toEqual([]);
  });

  test.skipIf(!hasKubeState)("with kube-state-metrics: out of reach, down, and a node that is not ready", async () => {
    const from = monitoring.notifications.length;
    const [alpha, state] = [node("alpha"), states.find((one) => one.node === "alpha")];
    if (state === undefined) throw new Error("kube-state-metrics knows nothing of alpha");
    const there = [withKubeState];
    await alpha.agent[Symbol.asyncDispose]();
    const description = await notified(from, "firing", "IPMasqAgentUnreachable", {}, there);
    expect(description).toMatch(/ Nodes: alpha\.$/);
    state.ready = false;
    await notified(from, "resolved", "IPMasqAgentUnreachable", {}, there);
    await notified(from, "firing", "IPMasqAgentDown", { node: "alpha", pod: state.pod }, there);
    state.nodeReady = false;
    await notified(from, "resolved", "IPMasqAgentDown", { node: "alpha" }, there);
    state.nodeReady = true;
    alpha.agent = startOn(alpha.lab, alpha.file, nodes.alpha);
    await notified(from, "firing", "IPMasqAgentNotReady", { node: "alpha", pod: state.pod }, there);
    state.ready = true;
    await notified(from, "resolved", "IPMasqAgentNotReady", { node: "alpha" }, there);
  });

  test("all agents end: one alert for each cluster", async () => {
    const from = monitoring.notifications.length;
    for (const state of states) state.ready = false;
    for (const { agent } of running.values()) await agent[Symbol.asyncDispose]();
    const labels = { severity: "critical", problem: "down" };
    const description = await notified(from, "firing", "IPMasqAgentManyNodesFailing", labels);
    expect(description).toMatch(/ Nodes: alpha beta\.$|Nodes: beta alpha\.$/);
  });

  test("every recording rule gives data, and nobody was told that no agent is there", async () => {
    for (const rule of (await readRules()).groups.flatMap(({ rules }) => rules)) {
      if (!("record" in rule)) continue;
      const problem = rule.labels?.["problem"];
      // Without kube-state-metrics there is no such problem.
      if (problem === "not_ready" && !hasKubeState) continue;
      const record = problem === undefined ? rule.record : `${rule.record}{problem="${problem}"}`;
      const series = await monitoring.range(record, 600);
      expect({ record, series: series.length > 0 }).toEqual({ record, series: true });
    }
    expect(monitoring.notifications.filter(({ labels }) => labels["alertname"] === "IPMasqAgentAbsent")).toEqual([]);
  });
});

/** The panels' queries with these values of the variables. */
function panelQueries(variables: Labels): readonly (readonly [name: string, expr: string])[] {
  return (buildDashboard().panels ?? []).flatMap((panel) => {
    if (!("targets" in panel)) return [];
    return (panel.targets ?? []).flatMap((target) =>
      "expr" in target && typeof target.expr === "string"
        ? [[panel.title ?? "", filled(target.expr, variables)] as const]
        : [],
    );
  });
}

async function comesTrue(holds: () => Promise<boolean>, what = "what was waited for"): Promise<void> {
  for (let tries = 0; tries < 240; tries++) {
    if (await holds().catch(() => false)) return;
    await pause(250);
  }
  throw new Error(`not within a minute: ${what}`);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
