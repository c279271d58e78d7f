import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { agentFile } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Status } from "../src/status/status.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
});
afterEach(() => node[Symbol.asyncDispose]());

const inForce = ({ msg }: { readonly msg: string }) => msg.startsWith("rules");
const config = (cidr: string) => `nonMasqueradeCIDRs: [${cidr}]\nresyncInterval: 1h\n`;

/** With what address a packet to this destination leaves. */
async function sourceOf(destination: string): Promise<"pod" | "node" | "nobody"> {
  const [arrival] = await node.lab.send([{ family: "IPv4", destination }]);
  const { pod, node: own } = node.lab;
  return arrival?.source === pod.IPv4 ? "pod" : arrival?.source === own.IPv4 ? "node" : "nobody";
}

async function status(): Promise<Status> {
  return JSON.parse((await node.get("/statusz", { accept: "application/json" })).body) as Status;
}

const missing = async () => (await node.metrics()).get("ip_masq_agent_config_missing");
const run = (...words: readonly string[]) => node.lab.run([process.execPath, agentFile, ...words]);
const tables = () => node.must("nft", "list", "tables");

describe("--config that names no file", () => {
  test("the agent waits for it: not ready, nothing written, said once; then it starts at once; gone, the defaults, said", async () => {
    const agent = node.start("--backend=nftables");
    await agent.line(({ msg }) => msg === "backend chosen");
    await expect.poll(async () => (await node.get("/readyz")).body).toContain(node.file);
    expect(await node.get("/readyz")).toMatchObject({
      status: 503,
      body: `not ready: ${node.file}: does not exist; create it, or correct --config\n`,
    });
    expect((await node.get("/healthz")).status).toBe(200);
    expect(await tables()).toBe("");
    expect(await missing()).toBe(1);
    expect((await status()).config.missing).toMatchObject({ inForce: "nothing" });
    expect(agent.log.filter(({ level, msg }) => level === "warn" && msg.includes(node.file))).toHaveLength(1);
    expect(agent.log.filter(({ level }) => level === "error")).toEqual([]);

    const asked = performance.now();
    await node.write(config("20.0.0.0/8"));
    await agent.line(inForce);
    expect(performance.now() - asked).toBeLessThan(2_000);
    expect(await sourceOf("20.1.1.1")).toBe("pod");
    expect(await node.get("/readyz")).toMatchObject({ status: 200, body: "ok\n" });

    await rm(node.file);
    await expect.poll(() => sourceOf("192.168.1.1")).toBe("pod");
    expect(await sourceOf("20.1.1.1")).toBe("node");
    expect(await missing()).toBe(1);
    expect(await node.get("/readyz")).toMatchObject({
      status: 200,
      body: expect.stringContaining(`ok, but: ${node.file}: does not exist any more, so the defaults are in force`),
    });
    await agent.line(({ level, msg }) => level === "warn" && msg.includes("does not exist any more"));
  });

  test("every command fails with the path in one line, and its remedies work", async () => {
    const flag = `--config=${node.file}`;
    const why = `${node.file}: does not exist; create it, or correct --config`;
    for (const words of [["validate"], ["plan"], ["explain", "20.1.1.1"]]) {
      const { exitCode, stdout, stderr } = await run(...words, flag);
      expect({ words, exitCode, stdout, stderr }).toEqual({
        words,
        exitCode: 1,
        stdout: "",
        stderr: `error: ${why}\n`,
      });
    }
    const doctor = await run("doctor", "-o", "json", flag);
    expect(doctor.exitCode).toBe(1);
    const { findings } = JSON.parse(doctor.stdout) as { findings: readonly { check: string; remedy?: string }[] };
    expect(findings.filter(({ check }) => check === "config")).toEqual([
      expect.objectContaining({ level: "error", remedy: "create it, or correct --config" }),
    ]);
    const once = await run("--once", "--backend=nftables", "--log-format=text", flag);
    expect(once.exitCode).toBe(1);
    expect(once.stderr.split("\n").filter((line) => line.includes("ERROR"))).toEqual([expect.stringContaining(why)]);
    expect(await tables()).toBe("");

    const other = join(node.directory, "other.yaml");
    await writeFile(other, config("20.0.0.0/8"));
    expect((await run("--once", "--backend=nftables", `--config=${other}`)).exitCode).toBe(0);
    await node.write(config("20.0.0.0/8"));
    expect((await run("--once", "--backend=nftables", flag)).exitCode).toBe(0);
    for (const words of [["validate"], ["plan"], ["explain", "20.1.1.1"]]) {
      expect(await run(...words, flag)).toMatchObject({ exitCode: 0, stderr: "" });
    }
  });

  test("without it and without a file, every command says in one line that the defaults are meant", async () => {
    const note = "/etc/config/ip-masq-agent does not exist: the defaults";
    const once = await run("--once", "--backend=nftables");
    expect(once.exitCode).toBe(0);
    expect(once.stderr.split("\n").filter((line) => line.includes(note))).toHaveLength(1);
    expect((await run("validate")).stdout).toContain(`config:    ${note}\n`);
    for (const words of [["plan"], ["explain", "20.1.1.1"]]) {
      expect(await run(...words)).toMatchObject({ exitCode: 0, stderr: `note: ${note}\n` });
    }
    expect((await run("doctor")).stdout).toContain(`valid: ${note}`);
  });
});

describe("--missing-config=keep", () => {
  test("over kill -9 and a restart while the config is gone; commands use the copy and say so", async () => {
    const flags = ["--backend=nftables", "--missing-config=keep", `--cache-dir=${join(node.directory, "cache")}`];
    await node.write(config("20.0.0.0/8"));
    const agent = node.start(...flags);
    await agent.line(inForce);
    await rm(node.file);
    await agent.line(({ msg }) => msg.includes("so the last good config stays in force"));
    const ended = new Promise((resolve) => agent.child.once("exit", resolve));
    agent.child.kill("SIGKILL");
    await ended;
    await node.must("nft", "flush", "ruleset");

    const later = node.start(...flags);
    await later.line(inForce);
    expect(await sourceOf("20.1.1.1")).toBe("pod");
    expect(await sourceOf("10.1.1.1")).toBe("node");
    expect(await missing()).toBe(1);
    expect((await status()).config).toMatchObject({ copiedAt: expect.any(String), missing: { inForce: "last-good" } });

    const named = [`--config=${node.file}`, ...flags];
    for (const words of [["validate"], ["plan"], ["explain", "20.1.1.1"]]) {
      const { exitCode, stderr } = await run(...words, ...named);
      expect({ words, exitCode }).toEqual({ words, exitCode: 0 });
      expect(stderr.split("\n").filter((line) => line.includes("in force is the copy of "))).toHaveLength(1);
    }
    const doctor = JSON.parse((await run("doctor", "-o", "json", ...named)).stdout) as { findings: readonly object[] };
    expect(doctor.findings).toContainEqual({
      ...{ level: "warning", check: "config", why: "the config that is meant for this node is not there" },
      what: expect.stringMatching(
        /does not exist any more, so the last good config stays in force; in force is the copy of \S+$/,
      ),
      remedy: "create it again; an empty file means the defaults",
    });
    expect((await run("explain", "20.1.1.1", ...named)).stdout).toContain("exempt");
    // The agent's own flags, as it tells them.
    expect(await run("plan", "--as-agent", "--metrics-address=127.0.0.1:10266")).toMatchObject({ exitCode: 0 });
  });
});

test("--missing-config=fail: a start without a config writes nothing, also at the default path", async () => {
  const agent = node.start("--backend=nftables", "--missing-config=fail");
  await agent.line(({ level, msg }) => level === "warn" && msg.includes("until there is a config"));
  expect((await node.get("/readyz")).status).toBe(503);
  expect(await tables()).toBe("");
  // Beside an agent that runs, --once would be refused for that.
  await agent[Symbol.asyncDispose]();
  const once = await run("--once", "--backend=nftables", "--missing-config=fail");
  expect(once.exitCode).toBe(1);
  expect(once.stderr).toContain("/etc/config/ip-masq-agent: does not exist");
  expect(await tables()).toBe("");
  // Its remedy.
  expect((await run("--once", "--backend=nftables", "--missing-config=defaults")).exitCode).toBe(0);
});

test("a manifest in the config's place leaves the kernel alone; its text alone is the remedy", async () => {
  await node.write(
    "apiVersion: v1\nkind: ConfigMap\ndata:\n  ip-masq-agent: |\n    nonMasqueradeCIDRs: [20.0.0.0/8]\n",
  );
  const agent = node.start("--backend=nftables");
  await agent.line(({ level, code }) => level === "error" && code === "manifest");
  expect(await tables()).toBe("");
  await mkdir(join(node.directory, "volume"));
  await node.write("nonMasqueradeCIDRs: [20.0.0.0/8]\n");
  await agent.line(inForce);
  expect(await sourceOf("20.1.1.1")).toBe("pod");
});
