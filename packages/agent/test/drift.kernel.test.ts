import { writeFile } from "node:fs/promises";
import { formatSet } from "@ip-masq-agent/core";
import { type AgentProcess, childWith, type LogLine, toolchains } from "@ip-masq-agent/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Status } from "../src/status/status.ts";
import { backendIn } from "./backends.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

const config = "nonMasqueradeCIDRs: [10.0.0.0/8, 172.16.0.0/12]\nresyncInterval: 10m\n";

/** The backends whose changes the kernel tells of, with each set of tools; nft 1.1 unprotected, so that it can be tampered with. */
const observed = toolchains().flatMap((toolchain) =>
  (["nftables", "iptables-nft"] as const).map((name) => ({ name, toolchain, label: `${name}, ${toolchain.name}` })),
);

const tamperings = {
  nftables: [
    "nft delete element ip ip-masq-agent exempt { 10.0.0.0/8 }",
    "nft flush chain ip ip-masq-agent postrouting",
    "nft flush ruleset",
  ],
  "iptables-nft": [
    "iptables-nft -t nat -D IP-MASQ-AGENT 1",
    "iptables-nft -t nat -F POSTROUTING",
    "iptables-nft -t nat -F",
  ],
  "iptables-legacy": ["iptables-legacy -t nat -D IP-MASQ-AGENT 1", "iptables-legacy -t nat -F POSTROUTING"],
} as const;

const repaired = ({ msg }: LogLine) => msg === "drift repaired";

describe.each(observed)("drift under $label, at a resync interval of ten minutes", ({ name, toolchain }) => {
  let node: NodeUnderTest;
  let agent: AgentProcess;
  beforeAll(async () => {
    node = await openNode();
    await node.write(config);
    agent = node.startWith(toolchain.prefix, `--backend=${name}`, "--protect-rules=off");
    await agent.line(({ msg }) => msg.startsWith("rules"));
  });
  afterAll(() => node[Symbol.asyncDispose]());

  test("the kernel's events are listened to", async () => {
    await expect.poll(() => eventsUp(node, name)).toBe(1);
  });

  test.each(tamperings[name])("%s: repaired at once, and by one look", async (command) => {
    const before = { log: agent.log.length, passes: await passes(node) };
    await node.must(...toolchain.prefix, "sh", "-c", command.replaceAll(/[{}]/g, "\\$&"));
    const line = await agent.line((one) => repaired(one) && agent.log.indexOf(one) >= before.log);
    // How soon, pnpm bench tells.
    expect(line).toMatchObject({ trigger: "hint" });
    const launcher = [...node.lab.launcher, ...toolchain.prefix];
    const seen = await backendIn(launcher, name).observe("IPv4", AbortSignal.timeout(10_000));
    expect(seen.policy && formatSet(seen.policy.exempt)).toEqual(["10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"]);
    // Our own write, coming back as an event, sets nothing going.
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect((await passes(node)) - before.passes).toBe(1);
  });

  test("the history tells time, kind, both sides, how long, and who", async () => {
    const { drifts } = JSON.parse((await node.get("/statusz", { accept: "application/json" })).body) as Status;
    expect(drifts).toHaveLength(tamperings[name].length);
    for (const drift of drifts) {
      expect(drift.repairedAfterMs).toBeGreaterThan(0);
      expect(drift.by).toMatchObject({ process: expect.stringMatching(/./), pid: expect.any(Number) });
      expect(drift.differences.length).toBeGreaterThan(0);
    }
    expect(drifts[0]).toMatchObject({
      kinds: "1 missing",
      differences: [{ kind: "missing", expected: expect.any(String) }],
    });
  });

  test("the monitor killed: told by log and metric, looks go on, and it comes back", async () => {
    const before = agent.log.length;
    process.kill(await monitorOf(agent), "SIGKILL");
    const down = await agent.line(
      (line) => line.msg.includes("events cannot be listened to") && agent.log.indexOf(line) >= before,
    );
    expect(down).toMatchObject({ level: "warn", why: expect.stringContaining("SIGKILL") });
    expect(await eventsUp(node, name)).toBe(0);
    await agent.line((line) => line.msg === "the kernel's events are back" && agent.log.indexOf(line) >= before);
    expect(await eventsUp(node, name)).toBe(1);
  });
});

describe("drift under iptables-legacy, which has no events", () => {
  test("is found by looking, at the interval asked for, long before the resync", async () => {
    await using node = await openNode();
    await node.write(config);
    const agent = node.start("--backend=iptables-legacy", "--drift-check-interval=300ms");
    await agent.line(({ msg }) => msg.startsWith("rules"));
    for (const command of tamperings["iptables-legacy"]) {
      const before = agent.log.length;
      await node.must("sh", "-c", command);
      const line = await agent.line((one) => repaired(one) && agent.log.indexOf(one) >= before);
      expect(line).toMatchObject({ trigger: "poll" });
    }
    expect([...(await node.metrics()).keys()].some((series) => series.includes("kernel_events_up"))).toBe(false);
  });
});

describe("while another program writes thousands of rules without a pause", () => {
  test("drift is noticed all the same", async () => {
    await using node = await openNode();
    await node.write(config);
    const agent = node.start("--backend=nftables");
    await agent.line(({ msg }) => msg.startsWith("rules"));
    const rules = Array.from(
      { length: 2_000 },
      (_, at) => `add rule ip flood c ip daddr 10.0.${at >> 8}.${at & 255} accept`,
    );
    const file = `${node.directory}/flood`;
    await writeFile(file, `add table ip flood\nadd chain ip flood c\nflush chain ip flood c\n${rules.join("\n")}\n`);
    const flood = node.lab.run(["timeout", "8", "sh", "-c", `while :; do nft -f ${file}; done`]);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const before = agent.log.length;
    await node.must("nft", "delete", "table", "ip", "ip-masq-agent");
    expect(await agent.line((one) => repaired(one) && agent.log.indexOf(one) >= before)).toMatchObject({
      trigger: "hint",
    });
    await flood;
  });
});

describe("while the kernel's events cannot be had", () => {
  test("drift is looked for", async () => {
    await using node = await openNode();
    await node.write(config);
    const tools = await node.brokenMonitor();
    const agent = node.startWith(
      ["env", `PATH=${tools}:${process.env["PATH"]}`],
      "--backend=nftables",
      "--drift-check-interval=300ms",
    );
    await agent.line(({ msg }) => msg.startsWith("rules"));
    await agent.line(({ msg }) => msg.includes("events cannot be listened to"));
    await node.must("nft", "flush", "ruleset");
    // What the failing monitor says on stderr is a reason to read too.
    expect(await agent.line(repaired)).toMatchObject({ trigger: expect.stringMatching(/^(?:poll|hint)$/) });
    // Told once, however often it is tried again.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(agent.log.filter(({ msg }) => msg.includes("events cannot be listened to"))).toHaveLength(1);
  });
});

async function passes(node: NodeUnderTest): Promise<number> {
  return [...(await node.metrics())]
    .filter(([series]) => series.startsWith("ip_masq_agent_syncs_total"))
    .reduce((sum, [, value]) => sum + value, 0);
}

async function eventsUp(node: NodeUnderTest, name: string): Promise<number | undefined> {
  return (await node.metrics()).get(`ip_masq_agent_kernel_events_up{backend="${name}"}`);
}

/** The agent's one long-lived child: `nft monitor`. */
async function monitorOf(agent: AgentProcess): Promise<number> {
  const found = await childWith(agent.child.pid ?? 0, (command) => command.includes("\0monitor\0"));
  if (found !== undefined) return found;
  throw new Error("no nft monitor is running");
}
