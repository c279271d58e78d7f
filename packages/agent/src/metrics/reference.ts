import { systemClock } from "@ip-masq-agent/core";
import { createMetrics } from "./metrics.ts";

/** The page docs/metrics.md: the table made from the registry itself, and what to alert on. */
export async function metricReference(): Promise<string> {
  const metrics = createMetrics({ version: "", commit: "", nodeVersion: "" }, ["IPv4", "IPv6"], systemClock);
  const rows = metrics
    .describe()
    .map(({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.join(", ")} | ${help} |`);
  return `# Metrics

Served at \`/metrics\` of \`--metrics-address\`. Made from the code. No label ever holds a CIDR, a pod or an address.
Series of failures and of drift are there from the start, at 0.

| name | type | labels | |
| --- | --- | --- | --- |
${rows.join("\n")}

NAT rules see only the first packet of a connection, so the counters of masqueraded and exempt traffic count new
connections, and no bytes can be told. A metric whose text begins with "Deprecated:" is served for one more version.

The kernel's counters are read at a scrape, at most every 5 s. A scrape waits for them for 1 s; after that it serves the
last values, and \`kernel_counters_age_seconds\` tells how old they are. The kernel starts its counters anew where a rule
is rewritten; they go on here, but what was counted between the last reading and a rewrite by a new config is lost.

## What to alert on

| | expression |
| --- | --- |
| Rules are asked for and do not come | \`ip_masq_agent_sync_last_queued_timestamp_seconds - ip_masq_agent_sync_last_success_timestamp_seconds > 60\` |
| Other programs change our rules, and go on | \`increase(ip_masq_agent_rule_drift_detected_total[15m]) > 3\` |
| Another program undoes our repairs | \`ip_masq_agent_drift_conflict == 1\` |
| Drift is no longer noticed at once | \`max_over_time(ip_masq_agent_kernel_events_up[10m]) == 0\` |
| Drift that cannot be repaired | \`min_over_time(ip_masq_agent_rule_drift[5m]) > 0\` |
| Writes fail | \`increase(ip_masq_agent_apply_failures_total[10m]) > 0\` |
| A bad config waits to be corrected | \`count(ip_masq_agent_config_last_reload_successful == 0) > 0\` |
| There is no config any more, or not where it is named | \`count(ip_masq_agent_config_missing == 1) > 0\` |
| The API is watched no more, and the last good config in use | \`count(max_over_time(ip_masq_agent_api_watch_up[10m]) == 0) > 0\` |
| Nodes of a pool do not agree on the policy | \`count by (nodepool) (count by (nodepool, hash) (ip_masq_agent_config_info)) > 1\` |

An alert on the age of the last sync alone would fire for every agent that has nothing to do; compare with the time
of the last request instead, as above. What is the same on all nodes at once, as a bad config, is best one alert for all.
The shipped rules (deploy/prometheus/rules.yaml) do that.

## Labels of the targets

The shipped rules and dashboard use these labels of the scraped targets, beside \`instance\`:

| label | set by | without it |
| --- | --- | --- |
| \`job\` | the PodMonitor (\`jobLabel: k8s-app\`) and the scrape example: always \`ip-masq-agent\` | the rules see no agent; the dashboard has a variable for it |
| \`node\` | the PodMonitor and the scrape example | alerts name \`instance\`; nodes that are not ready are not left out |
| \`namespace\`, \`pod\` | the operator and the scrape example | what kube-state-metrics says of the pods is not used |
| \`cluster\` | the store of several clusters (\`external_labels\` with remote write, Thanos) for all series alike | all nodes are one cluster |
| \`nodepool\` | you | a cluster is one pool, in which all nodes should have one policy |

Give \`nodepool\` to node pools that are to differ, as those with flags of their own. With the chart:
\`podMonitor.nodePoolLabel=cloud.google.com/gke-nodepool\` (\`eks.amazonaws.com/nodegroup\`, \`kubernetes.azure.com/agentpool\`).
With the component \`podmonitor\`, or any PodMonitor, by a patch; Prometheus must be allowed to list and watch nodes:

\`\`\`yaml
spec:
  attachMetadata: {node: true}
  podMetricsEndpoints:
    - port: metrics
      path: /metrics
      relabelings:
        - {sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}
        - {sourceLabels: [__meta_kubernetes_node_label_cloud_google_com_gke_nodepool], targetLabel: nodepool}
\`\`\`

A \`cluster\` that is set by relabeling has to be on kube-state-metrics' series too: the rules join by it.
`;
}
