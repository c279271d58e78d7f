import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AgentProcess, type LogLine, memoryOf } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
/** While this file exists, nft reads in a wild manner. */
let wild: string;
beforeEach(async () => {
  node = await openNode();
  wild = join(node.directory, "wild");
});
afterEach(() => node[Symbol.asyncDispose]());

const inForce = ({ msg }: LogLine) => msg.startsWith("rules");

/** The agent with the real nft behind a script, which runs `script` in the place of each read while `wild` is there. */
async function startBehind(script: string): Promise<AgentProcess> {
  const tools = join(node.directory, "tools");
  await mkdir(tools);
  const real = (await node.must("sh", "-c", "command -v nft")).trim();
  const text = `#!/bin/sh\nif [ -e ${wild} ]; then case "$*" in *"-j list"*) ${script};; esac; fi\nexec ${real} "$@"\n`;
  await writeFile(join(tools, "nft"), text, { mode: 0o755 });
  await node.write("{}");
  const agent = node.startWith(["env", `PATH=${tools}:/usr/sbin:/usr/bin:/sbin:/bin`], "--backend=nftables");
  await agent.line(inForce);
  return agent;
}

async function endedWithin(agent: AgentProcess, limitMs: number): Promise<void> {
  const ended = new Promise((resolve) => agent.child.once("exit", resolve));
  const asked = performance.now();
  agent.child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(performance.now() - asked).toBeLessThan(limitMs);
}

async function expectGone(pid: number): Promise<void> {
  const stat = () => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "gone");
  await expect.poll(stat).toMatch(/^gone$|\) Z /);
}

describe.each([
  ["stdout", "exec yes", "more than 16 MiB on stdout"],
  ["stderr", "exec yes >&2", "more than 1 MiB on stderr"],
  ["stdout, from a grandchild", "yes; exit 0", "more than 16 MiB on stdout"],
  ["stdout, from a grandchild whose parent has ended", "yes & exit 0", "more than 16 MiB on stdout"],
])("output without end on %s", (_, script, message) => {
  test("is said, takes no more memory than the limit, and is got over in seconds", async () => {
    const agent = await startBehind(`echo $$ >${node.directory}/pid; ${script}`);
    const before = await memoryOf(agent.child.pid ?? 0);
    await writeFile(wild, "");
    await node.must("nft", "flush", "chain", "ip", "ip-masq-agent", "postrouting");
    const { err } = await agent.line(({ msg }) => msg.startsWith("reconcile failed"));
    expect(err).toMatchObject({ reason: "other", message: expect.stringContaining(message) });
    // Several tries: what one holds, the next one must not add to.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const { peakKiB: most, anonymousKiB: anonymous } = await memoryOf(agent.child.pid ?? 0);
    expect(most - before.peakKiB).toBeLessThan(48 * 1024);
    expect(anonymous - before.anonymousKiB).toBeLessThan(48 * 1024);
    await rm(wild);
    await agent.line(({ msg }) => msg === "drift repaired", 10_000);
    await expectGone(Number(await readFile(join(node.directory, "pid"), "utf8")));
    await endedWithin(agent, 1_000);
  });
});

test.each([
  ["prints slowly for ever", "echo $$ >PID; while :; do echo x; sleep 0.1; done"],
  ["closes its output and sleeps", "exec >&- 2>&-; echo $$ >PID; exec sleep 1000"],
  ["waits for a child of its own", "sleep 1000 & echo $! >PID; wait"],
  ["has ended, and left a child that holds its output", "sleep 1000 & echo $! >PID; exit 0"],
])("SIGTERM ends the agent within a second while nft %s, and nothing stays behind", async (_, script) => {
  const agent = await startBehind(script.replace("PID", join(node.directory, "pid")));
  await writeFile(wild, "");
  await node.must("nft", "flush", "chain", "ip", "ip-masq-agent", "postrouting");
  const pidFile = join(node.directory, "pid");
  await expect.poll(() => readFile(pidFile, "utf8").catch(() => "")).not.toBe("");
  const pid = Number(await readFile(pidFile, "utf8"));
  await endedWithin(agent, 1_000);
  await expectGone(pid);
});
