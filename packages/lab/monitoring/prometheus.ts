import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startServer } from "../src/server.ts";
import { endpoint } from "./free-port.ts";
import { rulesFile } from "./rules.ts";

/** A real Prometheus and Alertmanager on loopback, with our rules at short intervals. */
export interface Monitoring extends AsyncDisposable {
  /** An instant query's result. */
  query(expr: string): Promise<readonly Sample[]>;
  /** A range query over the last minutes. */
  range(expr: string, seconds: number): Promise<readonly Series[]>;
  /** Alerts as the webhook got them, in order. */
  readonly notifications: readonly Notification[];
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [time: number, value: string])[];
}

export interface Notification {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const tools = fileURLToPath(new URL("../../../.cache/monitoring-tools/bin/", import.meta.url));

export const promtool: string = `${tools}promtool`;

/** Why there is no Prometheus here; undefined: there is. */
export function noPrometheus(): string | undefined {
  return existsSync(`${tools}prometheus`)
    ? undefined
    : "run scripts/monitoring-tools.sh for Prometheus and Alertmanager";
}

/** The rules with minutes made seconds, so that a test need not wait: ranges, waits, and the one limit that is a time. */
export function hastened(rules: string): string {
  return rules
    .replaceAll(/\[(?:1h)\]/g, "[60s]")
    .replaceAll(/\[(?:3|5|10|15)m\]/g, "[12s]")
    .replaceAll(/for: (\d+)m/g, (_, minutes: string) => `for: ${Math.min(Number(minutes), 6)}s`)
    .replaceAll("offset 3m", "offset 3s")
    .replace("node:ip_masq_agent_sync_lag:seconds > 60", "node:ip_masq_agent_sync_lag:seconds > 3");
}

/** `scrapeConfigs`: as in Prometheus' configuration. */
export async function openMonitoring(scrapeConfigs: readonly object[]): Promise<Monitoring> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-monitoring-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const notifications: Notification[] = [];
  const webhook = createServer((request, response) => {
    let body = "";
    request.on("data", (text) => {
      body += text;
    });
    request.on("end", () => {
      const { alerts } = JSON.parse(body) as { alerts: readonly Notification[] };
      notifications.push(...alerts.map(({ status, labels, annotations }) => ({ status, labels, annotations })));
      response.end();
    });
  });
  const webhookPort = await endpoint(webhook);
  stack.defer(() => {
    webhook.close();
    webhook.closeAllConnections();
  });
  const [prometheusPort, alertmanagerPort] = [await endpoint(), await endpoint()];

  const file = (name: string, text: string) => writeFile(join(directory, name), text);
  await file("rules.yaml", hastened(await readFile(rulesFile, "utf8")));
  await file(
    "prometheus.yaml",
    JSON.stringify({
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: ["rules.yaml"],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanagerPort}`] }] }] },
      scrape_configs: scrapeConfigs,
    }),
  );
  await file(
    "alertmanager.yaml",
    JSON.stringify({
      route: { receiver: "test", group_by: ["..."], group_wait: "1s", group_interval: "1s", repeat_interval: "1h" },
      receivers: [
        { name: "test", webhook_configs: [{ url: `http://127.0.0.1:${webhookPort}/`, send_resolved: true }] },
      ],
    }),
  );
  const start = (program: string, ...flags: readonly string[]) =>
    stack.use(startServer([`${tools}${program}`, ...flags], { cwd: directory }));
  const alertmanager = start(
    "prometheus-alertmanager",
    `--config.file=${directory}/alertmanager.yaml`,
    `--storage.path=${directory}/alertmanager`,
    `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
    "--cluster.listen-address=",
  );
  const prometheus = start(
    "prometheus",
    `--config.file=${directory}/prometheus.yaml`,
    `--storage.tsdb.path=${directory}/data`,
    `--web.listen-address=127.0.0.1:${prometheusPort}`,
  );
  await prometheus.ready(() => answers(prometheusPort));
  await alertmanager.ready(() => answers(alertmanagerPort));
  const resources = stack.move();

  async function ask<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(
      `http://127.0.0.1:${prometheusPort}/api/v1/${path}?${new URLSearchParams(parameters)}`,
    );
    const answer = (await response.json()) as { status: string; error?: string; data: { result: T } };
    if (answer.status !== "success") throw new Error(`${parameters["query"]}: ${answer.error}`);
    return answer.data.result;
  }

  return {
    notifications,
    query: (query) => ask("query", { query }),
    range(query, seconds) {
      const end = Date.now() / 1000;
      return ask("query_range", { query, start: `${end - seconds}`, end: `${end}`, step: "1" });
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function answers(port: number): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${port}/-/ready`, { signal: AbortSignal.timeout(2_000) })).ok;
}
