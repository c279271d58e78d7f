import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { type AgentProcess, agentFile } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
  await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 10m\n");
});
afterEach(() => node[Symbol.asyncDispose]());

function cleanup(...flags: readonly string[]): Promise<CommandResult> {
  return node.lab.run([process.execPath, agentFile, "cleanup", "--metrics-address=127.0.0.1:10266", ...flags]);
}

const rules = () => node.must("nft", "list", "ruleset");

async function atWork(...flags: readonly string[]): Promise<AgentProcess> {
  const running = node.start("--backend=nftables", "--protect-rules=off", ...flags);
  await running.line(({ msg }) => msg.startsWith("rules"));
  return running;
}

test.each([
  ["answers where it is asked", [], "one answers at 127.0.0.1:10266"],
  ["serves elsewhere", ["--metrics-address=127.0.0.1:10999"], "ip-masq-agent, pid"],
  ["serves nowhere", ["--metrics-address="], "ip-masq-agent, pid"],
])("while an agent that %s is at work, cleanup refuses; --dry-run and --force do not", async (_, flags, seen) => {
  await using _running = await atWork(...flags);
  const before = await rules();
  const { exitCode, stdout, stderr } = await cleanup();
  expect({ exitCode, stdout, rules: await rules() }).toEqual({ exitCode: 1, stdout: "", rules: before });
  expect(stderr).toMatch(/^ip-masq-agent: an agent runs on this node and .*: nothing was removed; .* use --force\n$/);
  expect(stderr).toContain("one holds the lock of this network namespace");
  expect(stderr).toContain(seen);
  expect(await cleanup("--dry-run")).toMatchObject({ exitCode: 3, stderr: "" });
  expect(await rules()).toBe(before);
  const forced = await cleanup("--force");
  expect(forced).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("removed\n  nftables") });
  expect(forced.stderr).toMatch(/^warning: an agent runs on this node/);
});

test("a pod, which sees no processes of others, is told of an agent that serves elsewhere by its lock", async () => {
  await using _running = await atWork("--metrics-address=127.0.0.1:10999");
  const pod = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const { exitCode, stderr } = await node.lab.run([...pod, process.execPath, agentFile, "cleanup"]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain("(one holds the lock of this network namespace): nothing was removed");
});

test("once the agent has ended it removes", async () => {
  await (await atWork())[Symbol.asyncDispose]();
  expect(await cleanup()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("removed\n") });
  expect(await rules()).toBe("");
});

test("what could not be looked at is told, and not taken for nothing", async () => {
  const run = ["env", "PATH=/nonexistent", process.execPath, agentFile, "cleanup"];
  expect(await node.lab.run(run)).toMatchObject({ exitCode: 0, stdout: "nothing of ours was there\n" });
  const broken = join(node.directory, "tools");
  await mkdir(broken);
  await writeFile(join(broken, "nft"), "#!/bin/sh\necho broken >&2\nexit 1\n", { mode: 0o755 });
  const { exitCode, stdout, stderr } = await node.lab.run(["env", `PATH=${broken}`, ...run.slice(2)]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  expect(stderr).toMatch(/^error: nftables IPv4: /m);
});
