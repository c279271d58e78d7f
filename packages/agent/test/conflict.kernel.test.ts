import { writeFile } from "node:fs/promises";
import { setTimeout as rest } from "node:timers/promises";
import { type AgentProcess, agentFile, cpuWithChildrenOf, type LogLine } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Status } from "../src/status/status.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

const config = "nonMasqueradeCIDRs: [10.0.0.0/8, 172.16.0.0/12]\nresyncInterval: 10m\n";
const inForce = ({ msg }: LogLine) => msg.startsWith("rules");
const waits = ({ msg }: LogLine) => msg.includes("keeps the rules of this node");

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
  await node.write(config);
});
afterEach(() => node[Symbol.asyncDispose]());

describe("two agents on one node", () => {
  const elsewhere = 10267;

  /** Another config, and a port of its own. */
  async function startOther(...flags: readonly string[]): Promise<AgentProcess> {
    const file = `${node.directory}/other`;
    await writeFile(file, "nonMasqueradeCIDRs: [11.0.0.0/8]\nresyncInterval: 10m\n");
    return node.start(`--config=${file}`, `--metrics-address=127.0.0.1:${elsewhere}`, ...flags);
  }

  async function readyzElsewhere(): Promise<string> {
    const script = `const r = await fetch("http://127.0.0.1:${elsewhere}/readyz"); console.log(r.status, await r.text())`;
    return node.must(process.execPath, "--input-type=module", "-e", script);
  }

  test.each([
    ["nftables", [], []],
    ["iptables-nft", [], ["--masq-chain=OTHER"]],
    ["iptables-legacy", [], ["--backend=nftables"]],
  ] as const)("the second waits (%s %j %j), and takes over when the first is killed", async (name, own, others) => {
    const first = node.start(`--backend=${name}`, ...own);
    await first.line(inForce);
    const second = await startOther(`--backend=${name}`, ...others);
    const line = await second.line(waits);
    expect(line).toMatchObject({ level: "error", msg: expect.stringContaining(`pid ${first.child.pid}`) });
    const heard = await first.line(({ msg }) => msg.includes("was started on this node and waits"));
    expect(heard).toMatchObject({ level: "warn", msg: expect.stringContaining(`pid ${second.child.pid}`) });
    expect(await readyzElsewhere()).toMatch(/^503 not ready: another ip-masq-agent \(pid \d+/);
    expect((await node.get("/readyz")).status).toBe(200);
    await rest(3_000);
    expect(second.log.filter(({ level }) => level === "error")).toHaveLength(1);
    expect(first.log.filter(({ level }) => level === "warn")).toHaveLength(1);
    const writes = [...(await node.metrics())].filter(([series]) => /syncs_total.*"applied"/.test(series));
    expect(writes.map(([, count]) => count)).toEqual([1]);
    const killed = performance.now();
    first.child.kill("SIGKILL");
    await second.line(({ msg }) => msg.includes("takes over"));
    process.stderr.write(
      `${name}: the second agent took over ${Math.round(performance.now() - killed)} ms after SIGKILL\n`,
    );
    await second.line(inForce);
    const [arrival] = await node.lab.send([{ family: "IPv4", destination: "11.1.1.1" }]);
    expect(arrival?.source).toBe(node.lab.pod.IPv4);
    await expect.poll(readyzElsewhere).toMatch(/^200/);
  });

  test("with one port, as in a rolling update: the second waits, serves when the first has ended, and no rule changes", async () => {
    const first = node.start("--backend=nftables");
    await first.line(inForce);
    const handle = async () =>
      (await node.must("nft", "-a", "list", "chain", "ip", "ip-masq-agent", "postrouting")).trim();
    const before = await handle();
    const second = node.start("--backend=nftables");
    await second.line(waits);
    // The probes of the second reach the first.
    expect((await node.get("/healthz")).status).toBe(200);
    const ended = new Promise((resolve) => first.child.once("exit", resolve));
    first.child.kill("SIGTERM");
    expect(await ended).toBe(0);
    await second.line(({ msg }) => msg.startsWith("serving"));
    await second.line(({ msg }) => msg === "rules in force, nothing to write");
    expect((await node.get("/readyz")).status).toBe(200);
    expect(await handle()).toBe(before);
  });

  test("who waits ends at SIGTERM at once", async () => {
    await node.start("--backend=nftables").line(inForce);
    const second = node.start("--backend=nftables");
    await second.line(waits);
    const ended = new Promise((resolve) => second.child.once("exit", resolve));
    const asked = performance.now();
    second.child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(performance.now() - asked).toBeLessThan(1_000);
  });

  test("--once beside a running agent writes nothing, says why, and ends with exit code 1", async () => {
    const first = node.start("--backend=nftables");
    await first.line(inForce);
    const command = [process.execPath, agentFile, "--once", "--backend=iptables-nft", `--config=${node.file}`];
    const { exitCode, stderr } = await node.lab.run(command);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("would undo what --once writes; nothing was written; stop it first");
    expect(await node.must("iptables-nft-save", "-t", "nat")).not.toContain("IP-MASQ-AGENT");
    first.child.kill("SIGTERM");
    await new Promise((resolve) => first.child.once("exit", resolve));
    expect((await node.lab.run(command)).exitCode).toBe(0);
  });

  test("agents in other network namespaces are of no concern", async () => {
    await using other = await openNode();
    await other.write(config);
    await Promise.all([
      node.start("--backend=nftables").line(inForce),
      other.start("--backend=nftables").line(inForce),
    ]);
  });
});

const flushes = {
  nftables: "nft flush chain ip ip-masq-agent postrouting",
  "iptables-nft": "iptables-nft -t nat -F IP-MASQ-AGENT",
} as const;

/** Sends a packet every 10 ms while `work` goes on; gives how long, and which share of the time, they left unmasqueraded. */
async function wrongWhile(work: Promise<unknown>): Promise<{ readonly longestMs: number; readonly share: number }> {
  let working = true;
  const done = work.finally(() => {
    working = false;
  });
  let [sent, wrong, longestMs] = [0, 0, 0];
  let since: number | undefined;
  while (working) {
    const at = performance.now();
    const [arrival] = await node.lab.send([{ family: "IPv4", destination: "99.1.1.1" }]);
    sent++;
    if (arrival?.source === node.lab.node.IPv4) since = undefined;
    else {
      wrong++;
      since ??= at;
      longestMs = Math.max(longestMs, performance.now() - since);
    }
    await rest(Math.max(0, 10 - (performance.now() - at)));
  }
  await done;
  return { longestMs, share: wrong / sent };
}

describe.each(["nftables", "iptables-nft"] as const)("another program that undoes our rules, %s", (name) => {
  const gauge = (what: string) => `ip_masq_agent_${what}{backend="${name}",ip_family="IPv4"}`;

  async function start(): Promise<AgentProcess> {
    const agent = node.start(`--backend=${name}`, "--protect-rules=off", "--v=2");
    await agent.line(inForce);
    await expect
      .poll(async () => (await node.metrics()).get(`ip_masq_agent_kernel_events_up{backend="${name}"}`))
      .toBe(1);
    return agent;
  }

  test("every 2 s for half a minute: repaired at once each time, and told as a conflict", async () => {
    const agent = await start();
    const script = `for i in $(seq 15); do ${flushes[name]}; sleep 2; done`;
    const { longestMs, share } = await wrongWhile(node.must("sh", "-c", script));
    process.stderr.write(
      `${name}, a flush every 2 s: wrong for ${Math.round(longestMs)} ms at most, ${(share * 100).toFixed(1)} % of the packets\n`,
    );
    expect(longestMs).toBeLessThan(1_000);
    expect(share).toBeLessThan(0.1);
    const told = agent.log.filter(({ msg }) => msg.startsWith("conflict"));
    expect(told).toHaveLength(1);
    expect(told[0]).toHaveProperty("by.pid");
    expect((await node.metrics()).get(gauge("drift_conflict"))).toBe(1);
  });

  test("20 times a second for 20 s: each repaired within about a second; ready again a minute later", async () => {
    const agent = await start();
    const pid = agent.child.pid ?? 0;
    const before = { cpu: await cpuWithChildrenOf(pid), at: performance.now(), lines: agent.log.length };
    const script = `end=$(($(date +%s) + 20)); while [ $(date +%s) -lt $end ]; do ${flushes[name]}; sleep 0.05; done`;
    const tampering = wrongWhile(node.must("sh", "-c", script));
    await agent.line(({ msg }) => msg.startsWith("conflict"));
    await rest(5_000);
    const [ready, metrics, page] = await Promise.all([
      node.get("/readyz"),
      node.metrics(),
      node.get("/statusz", { accept: "application/json" }),
    ]);
    const status = JSON.parse(page.body) as Status;
    const reason = /another program undoes our repairs, \d+ times since \S+, the last time by \w+/;
    expect(ready).toMatchObject({ status: 503, body: expect.stringMatching(reason) });
    expect(status.notReady).toMatch(reason);
    expect(status.families[0]?.conflict).toMatchObject({ undone: expect.any(Number), by: { pid: expect.any(Number) } });
    expect(metrics.get(gauge("drift_conflict"))).toBe(1);
    // Its exit code tells of the kernel at that moment, which may be either.
    const explain = [process.execPath, agentFile, "explain", "99.1.1.1", `--config=${node.file}`];
    const { stdout } = await node.lab.run([...explain, "--metrics-address=127.0.0.1:10266"]);
    expect(stdout).toMatch(/^ {2}agent .* not in force: IPv4: another program undoes our repairs, \d+ times/m);
    const { share: wrong } = await tampering;
    const seconds = (performance.now() - before.at) / 1_000;
    const share = ((await cpuWithChildrenOf(pid)) - before.cpu) / seconds / 10;
    const repairs = agent.log.flatMap(({ afterMs }) => (typeof afterMs === "number" ? [afterMs] : []));
    const slowest = Math.max(...repairs);
    process.stderr.write(
      `${name}, 20 flushes a second: ${repairs.length} repairs, the slowest ${Math.round(slowest)} ms after its notice, ${(wrong * 100).toFixed(1)} % of the packets wrong; ${share.toFixed(1)} % of a CPU with nft monitor\n`,
    );
    expect(repairs.length).toBeGreaterThan(15);
    // A second, and what a busy machine takes for a pass.
    expect(slowest).toBeLessThan(2_000);
    const over = await agent.line(({ msg }) => msg.startsWith("conflict over"), 90_000);
    expect(over).toMatchObject({ undone: expect.any(Number) });
    // The first drifts and repairs, and then one line for the conflict: none for each second.
    const told = agent.log.slice(before.lines).filter(({ level }) => level !== "debug");
    expect(told.length).toBeLessThan(20);
    expect(await node.get("/readyz")).toMatchObject({ status: 200 });
    const after = await node.metrics();
    expect([after.get(gauge("drift_conflict")), after.get(gauge("rule_drift"))]).toEqual([0, 0]);
    const [arrival] = await node.lab.send([{ family: "IPv4", destination: "99.1.1.1" }]);
    expect(arrival?.source).toBe(node.lab.node.IPv4);
  }, 150_000);
});

describe("a program that cannot be told from us: another agent that does not know of the lock", () => {
  test.each(["nftables", "iptables-legacy"] as const)("%s: no war, but a conflict on our side", async (name) => {
    const agent = node.start(`--backend=${name}`, "--protect-rules=off", "--drift-check-interval=100ms");
    await agent.line(inForce);
    const rule =
      name === "nftables"
        ? "nft add element ip ip-masq-agent exempt { 11.0.0.0/8 }"
        : "iptables-legacy -w 5 -t nat -I IP-MASQ-AGENT -d 11.0.0.0/8 -j RETURN";
    const script = `for i in $(seq 60); do ${rule.replaceAll(/[{}]/g, "\\$&")}; sleep 0.2; done`;
    const work = node.must("sh", "-c", script);
    await agent.line(({ msg }) => msg.startsWith("conflict"), 40_000);
    await work;
    expect(agent.log.filter(({ msg }) => msg.startsWith("conflict"))).toHaveLength(1);
    const metrics = await node.metrics();
    const writes = metrics.get(`ip_masq_agent_syncs_total{backend="${name}",ip_family="IPv4",result="applied"}`);
    // The first, a burst of ten, and then one a second for 12 s or a little more.
    expect(writes).toBeLessThan(30);
    const [arrival] = await node.lab.send([{ family: "IPv4", destination: "99.1.1.1" }]);
    expect(arrival?.source).toBe(node.lab.node.IPv4);
  });
});
