import { spawn } from "node:child_process";
import { once } from "node:events";
import { agentFile } from "@ip-masq-agent/lab";
import { describe, expect, test } from "vitest";
import { type NodeUnderTest, openNode } from "../test/node-under-test.ts";
import { record, sleep, timeoutMs } from "./campaign.ts";

const config = "nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 1s\n";

async function isRight(node: NodeUnderTest): Promise<boolean> {
  const arrivals = await node.lab.send(
    ["10.1.1.1", "30.1.1.1"].map((destination) => ({ family: "IPv4", destination })),
  );
  return arrivals[0]?.source === node.lab.pod.IPv4 && arrivals[1]?.source === node.lab.node.IPv4;
}

describe("what the agent needs runs out", () => {
  test("no room for its log: the rules are kept all the same", { timeout: timeoutMs }, async () => {
    await using node = await openNode();
    await node.write(config);
    const command = `exec ${process.execPath} ${agentFile} --config=${node.file} --backend=nftables --protect-rules=off --metrics-address= 2>/dev/full`;
    await using agent = background(node, command);
    await expect.poll(() => isRight(node)).toBe(true);
    await node.must("nft", "flush", "ruleset");
    await expect.poll(() => isRight(node)).toBe(true);
    expect(agent.exitCode()).toBeNull();
    record({ campaign: "log on a full device", on: "nftables", tried: "start, one repair", result: "rules kept" });
  });

  test("nobody reads its log: the rules are kept all the same", { timeout: timeoutMs }, async () => {
    await using node = await openNode();
    await node.write(config);
    // `sleep` holds the pipe and never reads; a pipe takes 64 KiB (pipe(7)), of which most is gone before the start.
    const command = `{ head -c 60000 /dev/zero >&2; exec ${process.execPath} ${agentFile} --config=${node.file} --backend=nftables --protect-rules=off --metrics-address= --v=4; } 2>&1 >/dev/null | sleep 3600`;
    await using agent = background(node, command);
    await expect.poll(() => isRight(node)).toBe(true);
    for (let at = 0; at < 20; at++) {
      await node.write(`# ${"x".repeat(at)}\n${config}`);
      await node.must("nft", "flush", "ruleset");
      await expect.poll(() => isRight(node), { message: `after ${at} repairs` }).toBe(true);
    }
    expect(agent.exitCode()).toBeNull();
    record({ campaign: "log that nobody reads", on: "nftables", tried: "20 repairs at --v=4", result: "rules kept" });
  });

  test("no room for its copies: the rules are kept all the same", { timeout: timeoutMs }, async () => {
    await using node = await openNode();
    await node.write(config);
    await node.must("mkdir", "/run/full");
    await node.must("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", "/run/full");
    await node.must("sh", "-c", "head -c 4096 /dev/zero > /run/full/file");
    const agent = node.start(
      "--backend=nftables",
      "--protect-rules=off",
      "--missing-config=keep",
      "--cache-dir=/run/full",
    );
    await agent.line(({ msg }) => msg.startsWith("rules"));
    await node.write(`# changed\n${config}`);
    await sleep(300);
    await node.must("nft", "flush", "ruleset");
    await expect.poll(() => isRight(node)).toBe(true);
    expect(agent.child.exitCode).toBeNull();
    record({
      campaign: "cache folder on a full device",
      on: "nftables",
      tried: "start, a change, one repair",
      result: "rules kept",
    });
  });
});

/** A shell command in the node's namespace; ended with everything that it started. */
function background(node: NodeUnderTest, command: string): AsyncDisposable & { exitCode(): number | null } {
  const [file = "", ...words] = [...node.lab.launcher, "bash", "-c", command];
  const child = spawn(file, words, { stdio: "ignore", detached: true });
  return {
    exitCode: () => child.exitCode,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.pid === undefined) return;
      const ended = once(child, "exit");
      process.kill(-child.pid, "SIGKILL");
      await ended;
    },
  };
}
