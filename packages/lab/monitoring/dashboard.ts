import {
  type Dashboard,
  DashboardBuilder,
  DashboardLinkBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { heatmap, source, stat, stateTimeline, table, timeSeries } from "./panels.ts";

/**
 * Of every query: what the variables choose. The job is a variable as in other dashboards, so that a scrape config with
 * another name for it works here too. There may be no labels for cluster and node pool: their "all" is `.*`, which
 * matches an absent label.
 */
const scope = 'job=~"$job", cluster=~"$cluster"';
const nodes = `${scope}, nodepool=~"$nodepool", node=~"$node"`;
const both = `${nodes}, backend=~"$backend"`;
const one = `${scope}, node="$one"`;
const hours = "[1h]";
const rate = "[$__rate_interval]";

/** Is every node doing what the config says, how fast, and who is changing the rules? */
export function buildDashboard(): Dashboard {
  return new DashboardBuilder("ip-masq-agent")
    .uid("ip-masq-agent")
    .description("Is every node doing what the config says, how fast, and who is changing the rules?")
    .tags(["kubernetes", "networking"])
    .refresh("30s")
    .time({ from: "now-6h", to: "now" })
    .timezone("browser")
    .link(
      new DashboardLinkBuilder("Runbooks")
        .url("https://github.com/your/fork/blob/main/docs/runbooks/README.md")
        .targetBlank(true),
    )
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(several("job", "Job", "ip_masq_agent_build_info"))
    .withVariable(several("cluster", "Cluster", 'ip_masq_agent_build_info{job=~"$job"}'))
    .withVariable(several("nodepool", "Node pool", `ip_masq_agent_build_info{${scope}}`))
    .withVariable(several("node", "Node", `ip_masq_agent_build_info{${scope}, nodepool=~"$nodepool"}`))
    .withVariable(several("backend", "Backend", `ip_masq_agent_backend_info{${scope}}`))
    .withVariable(choice("one", "One node", `label_values(ip_masq_agent_build_info{${scope}}, node)`))
    .withRow(new RowBuilder("Fleet"))
    .withPanel(
      stat({
        ...{ title: "Nodes in sync", width: 6, description: "Nodes whose last sync that was asked for has succeeded." },
        queries: [
          {
            expr: `count(max by (instance) (ip_masq_agent_sync_last_queued_timestamp_seconds{${nodes}} - ip_masq_agent_sync_last_success_timestamp_seconds{${nodes}}) < 60)`,
          },
        ],
      }),
    )
    .withPanel(
      stat({
        ...{ title: "Nodes by backend", width: 6, description: "Which backend keeps the rules, on how many nodes." },
        queries: [{ expr: `count by (backend) (ip_masq_agent_backend_info{${both}})`, legend: "{{backend}}" }],
      }),
    )
    .withPanel(
      stat({
        ...{
          title: "Policies in force",
          width: 4,
          description: "One, where all nodes decide alike; of node pools that differ, the most in one pool.",
        },
        queries: [
          {
            expr: `max(count by (cluster, nodepool) (count by (cluster, nodepool, hash) (ip_masq_agent_config_info{${nodes}})))`,
          },
        ],
      }),
    )
    .withPanel(
      stat({
        ...{ title: "Drifts in an hour", width: 4, description: "Rules found changed, and repaired." },
        queries: [{ expr: `sum(increase(ip_masq_agent_rule_drift_detected_total{${both}}${hours}))` }],
      }),
    )
    .withPanel(
      stat({
        ...{ title: "Failures in an hour", width: 4, description: "Syncs that failed, for whatever reason." },
        queries: [{ expr: `sum(increase(ip_masq_agent_apply_failures_total{${both}}${hours}))` }],
      }),
    )
    .withRow(new RowBuilder("Latency"))
    .withPanel(
      heatmap({
        ...{
          title: "Syncs",
          width: 8,
          unit: "s",
          description: "How long syncs take, from the first look to the last.",
        },
        queries: [
          {
            expr: `sum by (le) (increase(ip_masq_agent_sync_duration_seconds_bucket{${both}}${rate}))`,
            legend: "{{le}}",
          },
        ],
      }),
    )
    .withPanel(
      heatmap({
        ...{ title: "Repairs", width: 8, unit: "s", description: "From the first notice of drift to its repair." },
        queries: [
          {
            expr: `sum by (le) (increase(ip_masq_agent_drift_repair_duration_seconds_bucket{${both}}${rate}))`,
            legend: "{{le}}",
          },
        ],
      }),
    )
    .withPanel(
      timeSeries({
        ...{
          title: "Sync, percentiles",
          width: 8,
          unit: "s",
          description: "Half of the syncs, and 99 of 100, take no longer.",
        },
        queries: [0.5, 0.99].map((quantile) => ({
          expr: `histogram_quantile(${quantile}, sum by (le) (rate(ip_masq_agent_sync_duration_seconds_bucket{${both}}${rate})))`,
          legend: `p${quantile * 100}`,
        })),
      }),
    )
    .withRow(new RowBuilder("Drift"))
    .withPanel(
      timeSeries({
        ...{ title: "By kind", width: 8, description: "What was done to our rules." },
        queries: [
          {
            expr: `sum by (kind) (increase(ip_masq_agent_rule_drift_detected_total{${both}}${rate}))`,
            legend: "{{kind}}",
          },
        ],
      }),
    )
    .withPanel(
      stateTimeline({
        ...{ title: "By node", width: 8, description: "Nodes where rules differ from what was in force." },
        queries: [{ expr: `max by (node) (ip_masq_agent_rule_drift{${both}}) > bool 0`, legend: "{{node}}" }],
      }),
    )
    .withPanel(
      table({
        ...{
          title: "Worst nodes",
          width: 8,
          description: "Most drift in an hour; on the node, ip-masq-agent status says who did it.",
        },
        queries: [
          {
            expr: `topk(10, sum by (node, backend) (increase(ip_masq_agent_rule_drift_detected_total{${both}}${hours})))`,
          },
        ],
      }),
    )
    .withRow(new RowBuilder("Traffic"))
    .withPanel(
      timeSeries({
        ...{
          title: "New connections masqueraded",
          width: 12,
          unit: "cps",
          description: "Connections that were given the node's address. NAT sees their first packet only.",
        },
        queries: [
          {
            expr: `sum by (node) (rate(ip_masq_agent_masqueraded_connections_total{${nodes}}${rate}))`,
            legend: "{{node}}",
          },
        ],
      }),
    )
    .withPanel(
      timeSeries({
        ...{
          title: "New connections exempt",
          width: 12,
          unit: "cps",
          description: "Connections that kept the pod's address.",
        },
        queries: [
          {
            expr: `sum by (node) (rate(ip_masq_agent_exempt_connections_total{${nodes}}${rate}))`,
            legend: "{{node}}",
          },
        ],
      }),
    )
    .withRow(new RowBuilder("One node: $one"))
    .withPanel(
      timeSeries({
        ...{ title: "Syncs by result", width: 8, description: "in_sync: nothing was to be done." },
        queries: [
          { expr: `sum by (result) (increase(ip_masq_agent_syncs_total{${one}}${rate}))`, legend: "{{result}}" },
        ],
      }),
    )
    .withPanel(
      timeSeries({
        ...{ title: "Failures by reason", width: 8, description: "Why syncs failed." },
        queries: [
          {
            expr: `sum by (reason) (increase(ip_masq_agent_apply_failures_total{${one}}${rate}))`,
            legend: "{{reason}}",
          },
        ],
      }),
    )
    .withPanel(
      table({
        ...{ title: "State", width: 8, description: "Backend, policy, and whether the rules are protected." },
        queries: [
          { expr: `ip_masq_agent_backend_info{${one}}` },
          { expr: `ip_masq_agent_config_info{${one}}` },
          { expr: `ip_masq_agent_rules_protected{${one}}` },
        ],
      }),
    )
    .build();
}

/** A variable of which several values, or all, may be chosen. */
function several(name: string, title: string, series: string, label = name): QueryVariableBuilder {
  return choice(name, title, `label_values(${series}, ${label})`).includeAll(true).allValue(".*").multi(true);
}

function choice(name: string, title: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(title)
    .datasource(source)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged);
}
