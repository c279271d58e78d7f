import { readdirSync } from "node:fs";
import { type AgentProcess, childWith, startAgent, toolchains } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BackendName } from "../src/backends.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

const config = "nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 1s\n";
const remedy = "too many open files; raise the limit (ulimit -n";
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
  await node.write(config);
});
afterEach(() => node[Symbol.asyncDispose]());

/** Its log's lines are JSON; what Node says of an uncaught error is not. */
const uncaught = ({ log }: AgentProcess) => log.filter(({ level }) => level === "raw");
const told = ({ log }: AgentProcess, words: string) => log.filter((line) => JSON.stringify(line).includes(words));
const inForce = ({ msg }: { readonly msg: string }) => msg.startsWith("rules");

/** Node raises the soft limit to the hard one when it starts, so the limit is lowered from within. */
const lowered = (limit: number) =>
  `--import=data:text/javascript,import{execFileSync}from"node:child_process";execFileSync("prlimit",["--pid",process.pid,"--nofile=${limit}:"])`;

async function setLimit(agent: AgentProcess, limit: number): Promise<void> {
  await node.must("prlimit", "--pid", `${agent.child.pid}`, `--nofile=${limit}:`);
}

const [system, newer] = toolchains().map(({ prefix }) => prefix);
const kinds: readonly {
  readonly label: string;
  readonly backend: BackendName;
  readonly tools: readonly string[];
  readonly flags: readonly string[];
}[] = [
  { label: "nftables", backend: "nftables", tools: system ?? [], flags: ["--protect-rules=off"] },
  { label: "iptables-nft", backend: "iptables-nft", tools: system ?? [], flags: [] },
  { label: "iptables-legacy", backend: "iptables-legacy", tools: system ?? [], flags: [] },
  // Written through one process for all transactions; nft can do that since 1.1.
  ...(newer === undefined
    ? []
    : [{ label: "protected", backend: "nftables" as const, tools: newer, flags: ["--protect-rules=on"] }]),
];

describe.each(kinds)("descriptors, $label", ({ backend, tools, flags }) => {
  // Below 22, Node 24 itself cannot start: it crashes, or cannot read the script.
  test.each([22, 26, 30, 32, 34, 36, 38, 42])(
    "with a limit of %i it does not end, and says what is short where something is",
    async (limit) => {
      const agent = startAgent(
        [...node.lab.launcher, ...tools, "prlimit", `--nofile=${limit}:${limit}`],
        [`--config=${node.file}`, `--backend=${backend}`, "--metrics-address=127.0.0.1:10266", ...flags],
      );
      await using _ = agent;
      await pause(1_200);
      expect(agent.child.exitCode).toBeNull();
      expect(uncaught(agent)).toEqual([]);
      if (!agent.log.some(inForce)) expect(told(agent, remedy)).not.toEqual([]);
    },
  );

  test.each([24, 28])("started with a limit of %i, it works when that is raised", async (limit) => {
    const agent = startAgent(
      [...node.lab.launcher, ...tools],
      [`--config=${node.file}`, `--backend=${backend}`, "--metrics-address=127.0.0.1:10266", ...flags],
      [lowered(limit)],
    );
    await using _ = agent;
    await pause(1_500);
    expect(agent.log.some(inForce)).toBe(false);
    expect(told(agent, remedy)).not.toEqual([]);
    // A line for each thing that is short, and not one for each try.
    expect(told(agent, remedy).length).toBeLessThan(8);
    await setLimit(agent, 1_024);
    await agent.line(inForce, 20_000);
    expect((await node.get("/readyz")).status).toBe(200);
    expect(uncaught(agent)).toEqual([]);
  });

  test("reached while it runs: what is short is told, and drift is repaired when there is room", async () => {
    const agent = node.startWith(tools, `--backend=${backend}`, "--drift-check-interval=300ms", ...flags);
    await agent.line(inForce);
    await pause(500);
    // Not one more: the kernel gives the lowest number that is free.
    const taken = new Set(readdirSync(`/proc/${agent.child.pid}/fd`).map(Number));
    await setLimit(
      agent,
      Array.from({ length: 1_024 }, (_, fd) => fd).findIndex((fd) => !taken.has(fd)),
    );
    const monitor = await monitorOf(agent);
    if (monitor !== undefined) process.kill(monitor, "SIGKILL");
    if (flags.includes("--protect-rules=on"))
      await node.write("nonMasqueradeCIDRs: [11.0.0.0/8]\nresyncInterval: 1s\n");
    else if (backend === "nftables") await node.must("nft", "flush", "ruleset");
    else await node.must(backend, "-t", "nat", "-F", "POSTROUTING");
    await agent.line((line) => JSON.stringify(line).includes(remedy));
    if (monitor !== undefined) {
      const down = await agent.line(({ msg }) => msg.includes("events cannot be listened to"));
      expect(down).toHaveProperty("why");
    }
    await pause(1_500);
    expect(agent.child.exitCode).toBeNull();
    await setLimit(agent, 1_024);
    const last = agent.log.length;
    const well = /drift repaired|rules written|rules in force/;
    await agent.line((line) => well.test(line.msg) && agent.log.indexOf(line) >= last, 20_000);
    if (monitor !== undefined) await agent.line(({ msg }) => msg === "the kernel's events are back", 30_000);
    expect(uncaught(agent)).toEqual([]);
  });
});

async function monitorOf(agent: AgentProcess): Promise<number | undefined> {
  return childWith(agent.child.pid ?? 0, (command) => command.includes("\0monitor\0"));
}
