import type { Rule } from "@grafana/grafana-foundation-sdk/alerting";
import { type AlertingRule, alertsOf, type RuleFile } from "./rules.ts";

/** How far a query may look back, seconds; the longest range in an expression is an hour. */
const lookBack = { from: 3600, to: 0 };

/** A rule as Grafana's provisioning files have it: the API's form without what the file says once for all. */
type ProvisionedRule = Pick<Rule, "title" | "condition" | "noDataState" | "labels" | "annotations"> & {
  readonly uid: string;
  readonly execErrState: string;
  readonly for: string;
  readonly data: readonly object[];
};

/**
 * The same alerts for Grafana's own alerting. An expression of Prometheus gives series only where the alert is to fire,
 * whatever their value; so the condition is that there is one. No contact point is named: that is the reader's.
 */
export function grafanaAlerts(file: RuleFile): object {
  return {
    apiVersion: 1,
    groups: [
      {
        ...{ orgId: 1, name: "ip-masq-agent", folder: "ip-masq-agent", interval: "1m" },
        rules: alertsOf(file).map(provisioned),
      },
    ],
  };
}

function provisioned({ alert, expr, for: pending = "0s", labels, annotations }: AlertingRule): ProvisionedRule {
  const query = { refId: "A", relativeTimeRange: lookBack, datasourceUid: "prometheus" };
  const condition = { refId: "B", relativeTimeRange: { from: 0, to: 0 }, datasourceUid: "__expr__" };
  return {
    uid: alert,
    title: alert,
    condition: "B",
    data: [
      { ...query, model: { refId: "A", expr: expr.trim(), instant: true, range: false } },
      { ...condition, model: { refId: "B", type: "math", expression: "$A == $A" } },
    ],
    noDataState: "OK",
    execErrState: "Error",
    for: pending,
    labels: { ...labels },
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, text]) => [
        name,
        withoutQueries(text).replaceAll("$value", "$values.A.Value"),
      ]),
    ),
  };
}

/** Grafana's templates cannot query: the number of all nodes and the names of some are left out. */
function withoutQueries(text: string): string {
  return text
    .replaceAll(/\{\{ range query \([^)]*\) \}\} of \{\{ \.Value \}\}\{\{ end \}\}/g, "")
    .replace(/ Nodes:\{\{ range query .*$/s, "");
}
