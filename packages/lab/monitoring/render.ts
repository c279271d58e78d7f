import { writeFile } from "node:fs/promises";
import { dump } from "js-yaml";
import { buildDashboard } from "./dashboard.ts";
import { grafanaAlerts } from "./grafana-alerts.ts";
import { type RuleFile, readRules } from "./rules.ts";

const forGrafana = `# The data source needs the recording rules of that file: its first group, in Prometheus or in Mimir's ruler.
`;

/** What is made of the rules and of the dashboard's code, by its path in deploy/. */
export async function rendered(): Promise<Readonly<Record<string, string>>> {
  const rules = await readRules();
  const made = (from: string) => `# Made from ${from} by pnpm docs.\n`;
  return {
    "grafana/dashboard.json": `${JSON.stringify(buildDashboard(), undefined, 2)}\n`,
    "grafana/alerting.yaml": made("deploy/prometheus/rules.yaml") + forGrafana + yaml(grafanaAlerts(rules)),
    "prometheus/prometheusrule.yaml": made("deploy/prometheus/rules.yaml") + yaml(prometheusRule(rules)),
  };
}

/** The same rules as an object of the Prometheus operator. */
function prometheusRule({ groups }: RuleFile): object {
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PrometheusRule",
    metadata: { name: "ip-masq-agent", namespace: "kube-system", labels: { "k8s-app": "ip-masq-agent" } },
    spec: { groups },
  };
}

function yaml(value: object): string {
  return dump(value, { lineWidth: 120, noRefs: true });
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(await rendered())) {
    await writeFile(new URL(`../../../deploy/${path}`, import.meta.url), text);
  }
}
