import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { agentFile } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
  await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\n");
});
afterEach(() => node[Symbol.asyncDispose]());

/** Not in a pod, whatever these tests run in; the lab's /run has no service account. */
const outside = ["env", "-u", "NODE_NAME", "-u", "KUBERNETES_SERVICE_HOST"];

/** Runs a shell's line on a terminal of its own (script makes a pseudo-terminal); what is shown there is stdout. */
async function onTerminal(line: string): Promise<CommandResult> {
  const file = join(node.directory, "line");
  await writeFile(file, `${line}\n`);
  return node.lab.run([...outside, "script", "--quiet", "--return", "--command", `sh ${file}`, "/dev/null"]);
}

const program = `${process.execPath} ${agentFile}`;
const flags = () => `--once --backend=nftables --config=${node.file}`;
const rules = () => node.must("nft", "list", "ruleset");

test("at a terminal the agent does not start without the word run, and changes nothing", async () => {
  const { exitCode, stdout } = await onTerminal(`${program} ${flags()}`);
  expect({ exitCode, rules: await rules() }).toEqual({ exitCode: 2, rules: "" });
  expect(stdout).toContain(`ip-masq-agent run ${flags()}`);
  expect(stdout).toContain("Nothing was done.");
});

test.each([
  ["standard input", "2>/dev/null >/dev/null"],
  ["standard output", "</dev/null 2>/dev/null"],
  ["standard error", "</dev/null >/dev/null"],
])("%s alone is enough of a terminal", async (_, redirections) => {
  const { exitCode } = await onTerminal(`${program} ${flags()} ${redirections}`);
  expect({ exitCode, rules: await rules() }).toEqual({ exitCode: 2, rules: "" });
});

test("with run it starts at a terminal", async () => {
  expect(await onTerminal(`${program} run ${flags()}`)).toMatchObject({ exitCode: 0 });
  expect(await rules()).toContain("masquerade");
});

test.each([
  ["the environment names a node", "NODE_NAME=n1", ""],
  ["the API server's address is there, as in every pod", "KUBERNETES_SERVICE_HOST=10.96.0.1", ""],
  ["the flag names a node", "", "--node-name=n1"],
])("without run it starts at a terminal where %s", async (_, environment, flag) => {
  expect(await onTerminal(`${environment} ${program} ${flags()} ${flag}`)).toMatchObject({ exitCode: 0 });
  expect(await rules()).toContain("masquerade");
});

test("without a terminal the original's flags alone start it", async () => {
  const words = ["--logtostderr", "--v=2", "--masq-chain=IP-MASQ-AGENT", "--once", `--config=${node.file}`];
  expect(await node.lab.run([...outside, process.execPath, agentFile, ...words])).toMatchObject({ exitCode: 0 });
  expect(await rules()).toContain("masquerade");
});
