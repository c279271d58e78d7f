import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openMetricsPage } from "../demo/metrics-page.ts";
import { type AgentProcess, createLab, type Lab, startAgent } from "../src/index.ts";
import { buildDashboard } from "./dashboard.ts";
import { drawDashboard, filled } from "./picture.ts";
import { type Monitoring, noPrometheus, openMonitoring, promtool } from "./prometheus.ts";
import { readRules } from "./rules.ts";

const reason = noPrometheus();
if (reason !== undefined) process.stderr.write(`alerts are not tried on a real Prometheus: ${reason}\n`);

const port = 10266;
const usual = "nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 1s\n";
const nodes = { alpha: "nftables", beta: "iptables-legacy" } as const;
type NodeName = keyof typeof nodes;

interface Node {
  readonly lab: Lab;
  readonly file: string;
  readonly address: string;
  agent: AgentProcess;
}

describe.skipIf(reason !== undefined)("alerts, from real agents to a webhook", () => {
  const stack = new AsyncDisposableStack();
  const running = new Map<NodeName, Node>();
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
    monitoring = stack.use(
      await openMonitoring(Object.fromEntries([...running].map(([name, { address }]) => [name, address]))),
    );
    await comesTrue(async () => (await monitoring.query('up{job="ip-masq-agent"} == 1')).length === 2);
    // Rates and increases take two scrapes.
    await pause(4_000);
  });
  afterAll(async () => {
    for (const { agent } of running.values()) await agent[Symbol.asyncDispose]();
    await stack.disposeAsync();
  });

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

  /** Waits for a notification that has come since `from`. */
  async function notified(
    from: number,
    status: string,
    alertname: string,
    labels: Record<string, string> = {},
  ): Promise<void> {
    const passes = () =>
      monitoring.notifications
        .slice(from)
        .some(
          (one) =>
            one.status === status &&
            one.labels["alertname"] === alertname &&
            Object.entries(labels).every(([name, value]) => one.labels[name] === value),
        );
    await comesTrue(async () => passes(), `${alertname} ${status} ${JSON.stringify(labels)}`);
  }

  test("drift: told, and over by itself", async () => {
    const from = monitoring.notifications.length;
    await must("alpha", "nft", "flush", "chain", "ip", "ip-masq-agent", "postrouting");
    await notified(from, "firing", "IPMasqAgentDriftDetected", {
      instance: "alpha",
      severity: "info",
      backend: "nftables",
    });
    await notified(from, "resolved", "IPMasqAgentDriftDetected", { instance: "alpha" });
  });

  test("drift again and again: somebody else writes", async () => {
    const from = monitoring.notifications.length;
    for (let round = 0; round < 8; round++) {
      await must("alpha", "nft", "flush", "chain", "ip", "ip-masq-agent", "postrouting");
      await pause(300);
    }
    await notified(from, "firing", "IPMasqAgentDriftRepeated", { instance: "alpha", severity: "warning" });
  });

  test("a bad config, and its correction", async () => {
    const from = monitoring.notifications.length;
    await writeFile(node("beta").file, "nonMasqueradeCIDRs: [10.1.2.3/8]\n");
    await notified(from, "firing", "IPMasqAgentConfigRejected", { instance: "beta", severity: "warning" });
    await writeFile(node("beta").file, usual);
    await notified(from, "resolved", "IPMasqAgentConfigRejected", { instance: "beta" });
  });

  test("nodes that decide differently, and one that exempts everything", async () => {
    const from = monitoring.notifications.length;
    await writeFile(node("beta").file, "nonMasqueradeCIDRs: [0.0.0.0/0]\nresyncInterval: 1s\n");
    await notified(from, "firing", "IPMasqAgentPoliciesDiffer", { severity: "warning" });
    await notified(from, "firing", "IPMasqAgentMasqueradesNothing", { instance: "beta", ip_family: "IPv4" });
    await writeFile(node("beta").file, usual);
    await notified(from, "resolved", "IPMasqAgentPoliciesDiffer");
    await notified(from, "resolved", "IPMasqAgentMasqueradesNothing", { instance: "beta" });
  });

  test("the lock held by another: writes fail, drift stays, and both end with it", async () => {
    const from = monitoring.notifications.length;
    const held = node("beta").lab.run(["flock", "/run/xtables.lock", "sleep", "45"]);
    await pause(500);
    await writeFile(node("beta").file, "nonMasqueradeCIDRs: [10.0.0.0/8, 12.0.0.0/8]\nresyncInterval: 1s\n");
    await notified(from, "firing", "IPMasqAgentApplyFailing", { instance: "beta", severity: "critical" });
    await held;
    await notified(from, "resolved", "IPMasqAgentApplyFailing", { instance: "beta" });
    await writeFile(node("beta").file, usual);
  });

  test("every panel's query, and every recording rule, gives data of its shape", async () => {
    for (const [name, expr] of panelQueries()) {
      const series = await monitoring.range(expr, 60);
      expect({ name, expr, series: series.length > 0 }).toEqual({ name, expr, series: true });
      for (const { values } of series)
        expect(values.some(([, value]) => value !== "NaN") || name.startsWith("Sync, percentiles")).toBe(true);
    }
    for (const rule of (await readRules()).groups.flatMap(({ rules }) => rules)) {
      if (!("record" in rule)) continue;
      expect({ record: rule.record, samples: (await monitoring.query(rule.record)).length > 0 }).toEqual({
        record: rule.record,
        samples: true,
      });
    }
  });

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
    await drawDashboard(monitoring, file, browser ?? "");
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
    await alpha.agent[Symbol.asyncDispose]();
    await notified(from, "firing", "IPMasqAgentDown", { instance: "alpha", severity: "critical" });
    alpha.agent = startOn(alpha.lab, alpha.file, nodes.alpha);
    await notified(from, "resolved", "IPMasqAgentDown", { instance: "alpha" });
  });
});

/** The panels' queries with the variables as a reader would have them. */
function panelQueries(): readonly (readonly [name: string, expr: string])[] {
  return (buildDashboard().panels ?? []).flatMap((panel) => {
    if (!("targets" in panel)) return [];
    return (panel.targets ?? []).flatMap((target) =>
      "expr" in target && typeof target.expr === "string" ? [[panel.title ?? "", filled(target.expr)] as const] : [],
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
