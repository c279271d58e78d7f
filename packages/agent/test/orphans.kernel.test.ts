import { readdir, readFile, readlink } from "node:fs/promises";
import { type AgentProcess, toolchains } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
  await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 1h\n");
});
afterEach(() => node[Symbol.asyncDispose]());

/** A wrapper script that does not become the agent. */
const script = ["sh", "-c", '"$@"; exit 0', "sh"];

const cases = toolchains().flatMap((toolchain) =>
  [
    { name: "nftables", flags: ["--backend=nftables", "--protect-rules=off"], long: ["monitor"] },
    { name: "iptables-nft", flags: ["--backend=iptables-nft"], long: ["monitor"] },
    // Tables can be owned since nft 1.1.
    ...(toolchain.name === "system"
      ? []
      : [{ name: "protected", flags: ["--backend=nftables", "--protect-rules=on"], long: ["-i", "monitor"] }]),
  ].flatMap((kind) =>
    [
      { ...kind, toolchain, how: "by itself", wrapper: [] },
      { ...kind, toolchain, how: "behind a script", wrapper: script },
    ].map((one) => ({ ...one, label: `${one.name}, ${toolchain.name}, ${one.how}` })),
  ),
);

describe("kill -9 of the agent, on a node where nothing happens", () => {
  test.each(cases)("$label: no nft is left within a second", async ({ flags, long, toolchain, wrapper }) => {
    const agent = node.startWith([...toolchain.prefix, ...wrapper], ...flags);
    await agent.line(({ msg }) => msg.startsWith("rules"));
    await expect.poll(async () => (await toolsInside()).toSorted()).toEqual(long);
    process.kill(await pidOf(agent, wrapper.length > 0), "SIGKILL");
    await expect.poll(toolsInside, { timeout: 1_000, interval: 20 }).toEqual([]);
  });
});

async function pidOf({ child }: AgentProcess, behindScript: boolean): Promise<number> {
  const pid = child.pid ?? 0;
  return behindScript ? Number(await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")) : pid;
}

/**
 * The last argument of every nft that runs in the node's network namespace, whoever its parent is by now. One that has
 * ended and waits for this machine's first process to know is in none.
 */
async function toolsInside(): Promise<readonly string[]> {
  const inside = await readlink(`/proc/${node.lab.spaces.node.pid}/ns/net`);
  const found: string[] = [];
  for (const name of (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry))) {
    if ((await readlink(`/proc/${name}/ns/net`).catch(() => "")) !== inside) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, "latin1").catch(() => "")).split("\0").filter(Boolean);
    if (words.some((word) => /(?:^|\/)nft$/.test(word))) found.push(words.at(-1) ?? "");
  }
  return found;
}
