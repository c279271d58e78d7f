import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { noPrometheus, promtool } from "./prometheus.ts";
import { rulesFile } from "./rules.ts";

const path = (url: URL) => fileURLToPath(url);
const absent = noPrometheus() !== undefined;
if (absent) process.stderr.write("the alerting rules are not tested: run scripts/monitoring-tools.sh for promtool\n");

test.skipIf(absent)("promtool takes the rules", async () => {
  const { exitCode, stdout, stderr } = await execa(promtool, ["check", "rules", path(rulesFile)], {
    reject: false,
    timeout: 30_000,
  });
  expect({ exitCode, stderr, stdout }).toMatchObject({ exitCode: 0 });
});

test.skipIf(absent)("every alert fires when it should, and is silent when it should not", async () => {
  const tests = path(new URL("tests/alerts.yaml", rulesFile));
  const { exitCode, stdout, stderr } = await execa(promtool, ["test", "rules", tests], {
    reject: false,
    timeout: 60_000,
  });
  expect({ exitCode, stderr, stdout }).toMatchObject({ exitCode: 0 });
});
