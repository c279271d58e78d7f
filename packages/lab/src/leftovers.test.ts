import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../../scripts/leftovers.sh", import.meta.url));

/** The end of a test run that did `work`. */
async function endOfRun(work: string): Promise<{ readonly exitCode: number | undefined; readonly stderr: string }> {
  const text = `set -euo pipefail; . ${script}; leftovers_patience=1; ${work}\nend_leftovers "the run"`;
  const { exitCode, stderr } = await execa("bash", ["-c", text], { reject: false, stdin: "ignore", stdout: "ignore" });
  return { exitCode, stderr };
}

test("a run whose processes have ended passes, and one that is about to end is given time", async () => {
  expect(await endOfRun("true; sleep 0.3 &")).toMatchObject({ exitCode: 0, stderr: "" });
});

test("an orphan fails the run: it is named and ended", async () => {
  // An agent that is killed leaves its children in such a way; a session of its own makes no difference.
  const { exitCode, stderr } = await endOfRun("setsid sh -c 'sleep 4242 & sleep 4243 & exit'");
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^error: the run has left processes behind:\n/);
  const left = [...stderr.matchAll(/^ {2}pid (\d+), parent \d+, net:\[\d+\]: (sleep 424[23]) $/gm)];
  expect(left.map(([, , command]) => command).toSorted()).toEqual(["sleep 4242", "sleep 4243"]);
  // A process that has ended, and that nobody has waited for yet, has no command line.
  for (const [, pid] of left)
    await expect.poll(() => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).toBe("");
});

test("processes of others, and of another run, are left alone", async () => {
  const other = await endOfRun("env IP_MASQ_AGENT_TEST_RUN=another sleep 2 &");
  expect(other).toMatchObject({ exitCode: 0, stderr: "" });
});
