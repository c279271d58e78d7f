import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildDashboard } from "./dashboard.ts";
import { rendered } from "./render.ts";
import { alertsOf, readRules, rulesFile } from "./rules.ts";

const deploy = (path: string) => new URL(`../../../deploy/${path}`, import.meta.url);

test("what is made of the rules and of the dashboard's code is current", async () => {
  for (const [path, text] of Object.entries(await rendered())) expect(readFileSync(deploy(path), "utf8")).toBe(text);
});

test("Grafana's alerts ask for nothing that its templates do not have", async () => {
  const text = (await rendered())["grafana/alerting.yaml"] ?? "";
  expect(text).toContain("{{ $values.A.Value }} nodes.");
  expect(text).not.toMatch(/range query|\$value\b/);
});

test("rules and dashboard ask for metrics that the agent has, and for no deprecated ones", async () => {
  const page = readFileSync(deploy("../docs/metrics.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(ip_masq_agent_\w+)` \|.*\| (.*) \|$/gm)];
  const served = rows.flatMap(([, name = "", help = ""]) => (help.startsWith("Deprecated:") ? [] : [name]));
  const texts = [readFileSync(rulesFile, "utf8"), JSON.stringify(buildDashboard())];
  // A name after a colon is a recording rule's.
  const asked = texts.flatMap((text) => text.match(/(?<![:\w])ip_masq_agent_\w+/g) ?? []);
  const metrics = new Set(asked.map((name) => name.replace(/_bucket$/, "")));
  expect(metrics.size).toBeGreaterThan(10);
  expect([...metrics].filter((name) => !served.includes(name))).toEqual([]);
});

test("every alert has a severity, words, and a page that says what to do", async () => {
  const index = readFileSync(deploy("../docs/runbooks/README.md"), "utf8");
  for (const { alert, labels, annotations } of alertsOf(await readRules())) {
    expect(alert).toMatch(/^IPMasqAgent[A-Z][A-Za-z]+$/);
    expect(["info", "warning", "critical"]).toContain(labels["severity"]);
    expect(annotations["runbook_url"]).toMatch(new RegExp(`/docs/runbooks/${alert}\\.md$`));
    const page = deploy(`../docs/runbooks/${alert}.md`);
    expect(existsSync(page)).toBe(true);
    const text = readFileSync(page, "utf8");
    for (const part of [
      "## Meaning",
      "## Impact",
      "## Diagnosis",
      "## Mitigation",
      `Severity: ${labels["severity"]}`,
    ]) {
      expect(text).toContain(part);
    }
    expect(index).toContain(`[${alert}](${alert}.md) | ${labels["severity"]} |`);
  }
});
