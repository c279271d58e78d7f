import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { dump } from "js-yaml";
import { expect, test } from "vitest";
import { noPrometheus, promtool } from "./prometheus.ts";
import { rulesFile } from "./rules.ts";

/*
 * How many alerts a cluster of 500 nodes gives, in promtool's unit tests made here: nobody writes 500 series by hand.
 * Texts and labels of the alerts are in deploy/prometheus/tests/alerts.yaml.
 */

const absent = noPrometheus() !== undefined;
if (absent) process.stderr.write("alerts of many nodes are not tested: run scripts/monitoring-tools.sh for promtool\n");

const nodes = 500;

/** A series of every node as promtool takes it: what it shows of a healthy node, and of one with the problem. */
interface Sign {
  readonly metric: string;
  /** Beside those of the target. */
  readonly labels?: string;
  readonly healthy: string;
  readonly failing: string;
}

/** The signs of each problem, and the alerts for it on one node and on many. */
const problems: Readonly<Record<string, { readonly signs: readonly Sign[]; one: string; many: string }>> = {
  down: {
    signs: [{ metric: "up", healthy: "1", failing: "0" }],
    one: "IPMasqAgentDown",
    many: "IPMasqAgentManyNodesFailing",
  },
  "apply failing": {
    signs: [
      { metric: "ip_masq_agent_sync_last_queued_timestamp_seconds", healthy: "1000", failing: "2000" },
      { metric: "ip_masq_agent_sync_last_success_timestamp_seconds", healthy: "1000", failing: "1000" },
      {
        metric: "ip_masq_agent_apply_failures_total",
        labels: 'backend="nftables", reason="lock"',
        healthy: "0",
        failing: "1+1",
      },
    ],
    one: "IPMasqAgentApplyFailing",
    many: "IPMasqAgentManyNodesFailing",
  },
  "drift not repaired": {
    signs: [{ metric: "ip_masq_agent_rule_drift", labels: 'backend="nftables"', healthy: "0", failing: "3" }],
    one: "IPMasqAgentDriftUnrepaired",
    many: "IPMasqAgentManyNodesFailing",
  },
  "drift repeated": {
    signs: [{ metric: "ip_masq_agent_drift_conflict", labels: 'backend="nftables"', healthy: "0", failing: "1" }],
    one: "IPMasqAgentDriftRepeated",
    many: "IPMasqAgentManyNodesFailing",
  },
  "not ready": {
    signs: [
      {
        metric: "kube_pod_info",
        labels: 'created_by_kind="DaemonSet", created_by_name="ip-masq-agent"',
        healthy: "1",
        failing: "1",
      },
      { metric: "kube_pod_status_ready", labels: 'condition="true"', healthy: "1", failing: "0" },
    ],
    one: "IPMasqAgentNotReady",
    many: "IPMasqAgentManyNodesFailing",
  },
  "config rejected": alike("ConfigRejected", "config_last_reload_successful", "1", "0"),
  "config missing": alike("ConfigMissing", "config_missing", "0", "1"),
  "everything exempt": alike("MasqueradesNothing", "exempts_everything", "0", "1"),
  "no events of the kernel": alike("EventsDown", "kernel_events_up", "1", "0"),
  "the API not watched": alike("ApiWatchDown", "api_watch_up", "1", "0"),
  "ready and not reached": {
    signs: [
      { metric: "up", healthy: "1", failing: "0" },
      { metric: "kube_pod_status_ready", labels: 'condition="true"', healthy: "1", failing: "1" },
    ],
    one: "IPMasqAgentUnreachable",
    many: "IPMasqAgentUnreachable",
  },
};

/** A problem whose alert is one for each cluster from the first node on. */
function alike(alert: string, metric: string, healthy: string, failing: string) {
  const name = `IPMasqAgent${alert}`;
  return { signs: [{ metric: `ip_masq_agent_${metric}`, healthy, failing }], one: name, many: name };
}

/** Samples every 30 s for 25 minutes; the problem begins after 5, on most nodes half a minute later than on the first. */
function series({ metric, labels, healthy, failing }: Sign, failingNodes: number) {
  return Array.from({ length: nodes }, (_, index) => {
    const begin = index < 20 ? 10 : 11;
    const target = `job="ip-masq-agent", cluster="east", namespace="masq", pod="p${index}", node="n${index}", instance="n${index}:1"`;
    return {
      series: `${metric}{${[target, ...(labels === undefined ? [] : [labels])].join(", ")}}`,
      values: index < failingNodes ? `${healthy}x${begin} ${failing}x${49 - begin}` : `${healthy}x50`,
    };
  });
}

/** All series of these signs, and `up` in any case: the number of nodes is that of targets. */
function everySeries(signs: readonly Sign[], failingNodes: number): readonly object[] {
  const up: Sign = { metric: "up", healthy: "1", failing: "1" };
  const all = signs.some(({ metric }) => metric === "up") ? signs : [up, ...signs];
  return all.flatMap((sign) => series(sign, failingNodes));
}

async function promtoolTests(input_series: readonly object[], exprs: readonly object[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-fleet-"));
  try {
    const file = join(directory, "fleet.yaml");
    const tests = [{ interval: "30s", input_series, promql_expr_test: exprs }];
    await writeFile(file, dump({ rule_files: [fileURLToPath(rulesFile)], evaluation_interval: "30s", tests }));
    const { exitCode, stdout, stderr } = await execa(promtool, ["test", "rules", file], {
      reject: false,
      timeout: 60_000,
    });
    expect({ exitCode, stderr, stdout }).toMatchObject({ exitCode: 0 });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** At that time these alerts are firing and no others; and at no time before were more than `most`. */
function firing(alerts: Readonly<Record<string, number>>, most: number, time = "25m"): readonly object[] {
  const samples = Object.entries(alerts).map(([name, value]) => ({ labels: `{alertname="${name}"}`, value }));
  const mostSamples = samples.length === 0 ? [] : [{ labels: "{}", value: most }];
  return [
    { expr: 'count by (alertname) (ALERTS{alertstate="firing"})', ...at(time, samples) },
    { expr: `max_over_time(count(ALERTS{alertstate="firing"})[${time}:30s])`, ...at(time, mostSamples) },
  ];
}

function at(eval_time: string, exp_samples: readonly object[]): object {
  return { eval_time, exp_samples };
}

test.skipIf(absent)("500 healthy nodes give no alert", async () => {
  const signs = Object.values(problems).flatMap((problem) => problem.signs);
  const once = signs.filter(({ metric }, at) => signs.findIndex((sign) => sign.metric === metric) === at);
  await promtoolTests(everySeries(once, 0), firing({}, 0));
});

test.skipIf(absent).each(Object.entries(problems))("%s: one alert for one node of 500", async (_, { signs, one }) => {
  await promtoolTests(everySeries(signs, 1), firing({ [one]: 1 }, 1));
});

test.skipIf(absent).each(Object.entries(problems))("%s: one alert for all 500 nodes", async (_, { signs, many }) => {
  await promtoolTests(everySeries(signs, nodes), firing({ [many]: 1 }, 1));
});

test.skipIf(absent)("a tenth of the nodes is told one by one, more than a tenth once", async () => {
  const { signs = [], one = "", many = "" } = problems["down"] ?? {};
  await promtoolTests(everySeries(signs, 50), firing({ [one]: 50 }, 50));
  await promtoolTests(everySeries(signs, 51), firing({ [many]: 1 }, 1));
});

test.skipIf(absent)(
  "a problem that spreads is told of single nodes, then of all, and always of one of them",
  async () => {
    const spreading = Array.from({ length: nodes }, (_, index) => ({
      series: `up{job="ip-masq-agent", cluster="east", node="n${index}", instance="n${index}:1"}`,
      values: index < 30 ? "1x10 0x40" : "1x30 0x20",
    }));
    await promtoolTests(spreading, [
      ...firing({ IPMasqAgentDown: 30 }, 30, "14m"),
      ...firing({ IPMasqAgentManyNodesFailing: 1 }, 30, "25m"),
      // Every half a minute from minute 12 to 25.
      {
        expr: 'count_over_time(count(ALERTS{alertstate="firing"})[13m:30s])',
        ...at("25m", [{ labels: "{}", value: 27 }]),
      },
    ]);
  },
);
