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

The kernel's counters are read at a scrape, at most every 5 s. A scrape waits for them for 1 s; after that it serves the
last values, and \`kernel_counters_age_seconds\` tells how old they are. The kernel starts its counters anew where a rule
is rewritten; they go on here, but what was counted between the last reading and a rewrite by a new config is lost.

## What to alert on

| | expression |
| --- | --- |
| Rules are asked for and do not come | \`ip_masq_agent_sync_last_queued_timestamp_seconds - ip_masq_agent_sync_last_success_timestamp_seconds > 60\` |
| Somebody changes our rules, and goes on | \`increase(ip_masq_agent_rule_drift_detected_total[15m]) > 3\` |
| Another program undoes our repairs | \`ip_masq_agent_drift_conflict == 1\` |
| Drift is no longer noticed at once | \`min_over_time(ip_masq_agent_kernel_events_up[10m]) == 0\` |
| Drift that cannot be repaired | \`min_over_time(ip_masq_agent_rule_drift[5m]) > 0\` |
| Writes fail | \`increase(ip_masq_agent_apply_failures_total[10m]) > 0\` |
| A bad config waits to be mended | \`ip_masq_agent_config_last_reload_successful == 0\` |
| There is no config any more, or not where it is named | \`ip_masq_agent_config_missing == 1\` |
| The API is watched no more, and the last good config in use | \`max_over_time(ip_masq_agent_api_watch_up[10m]) == 0\` |
| Nodes do not agree on the policy | \`count(count by (hash) (ip_masq_agent_config_info)) > 1\` |

An alert on the age of the last sync alone would fire for every agent that has nothing to do; compare with the time
of the last request instead, as above.
`;
}
