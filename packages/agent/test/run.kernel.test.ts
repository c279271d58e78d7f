import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { agentFile, childrenOf, startAgent } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { backendIn, names } from "./backends.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
});
afterEach(() => node[Symbol.asyncDispose]());

const inForce = ({ msg }: { readonly msg: string }) => msg.startsWith("rules");

/** With what address a packet to this destination leaves: the pod's, or the node's. */
async function sourceOf(destination: string): Promise<"pod" | "node" | "nobody"> {
  const family = destination.includes(":") ? "IPv6" : "IPv4";
  const [arrival] = await node.lab.send([{ family, destination }]);
  return arrival?.source === node.lab.pod[family]
    ? "pod"
    : arrival?.source === node.lab.node[family]
      ? "node"
      : "nobody";
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

describe("config changes", () => {
  test("rules follow a rename, a plain write, the kubelet's swap, deletion and creation, at a resync of an hour", async () => {
    const config = (cidr: string) => `nonMasqueradeCIDRs: [${cidr}]\nresyncInterval: 1h\n`;
    await node.write(config("10.0.0.0/8"));
    await node.start("--backend=nftables").line(inForce);
    expect(await sourceOf("10.1.1.1")).toBe("pod");
    expect(await sourceOf("20.1.1.1")).toBe("node");
    await node.write(config("20.0.0.0/8"));
    await expect.poll(() => sourceOf("20.1.1.1")).toBe("pod");
    await writeFile(node.file, config("30.0.0.0/8"));
    await expect.poll(() => sourceOf("30.1.1.1")).toBe("pod");
    await rm(node.file);
    await expect.poll(() => sourceOf("192.168.1.1")).toBe("pod");
    expect(await sourceOf("30.1.1.1")).toBe("node");
    await mkdir(join(node.directory, "..1"));
    await writeFile(join(node.directory, "..1", "ip-masq-agent"), config("40.0.0.0/8"));
    await symlink("..1", join(node.directory, "..data"));
    await symlink("..data/ip-masq-agent", node.file);
    await expect.poll(() => sourceOf("40.1.1.1")).toBe("pod");
    await mkdir(join(node.directory, "..2"));
    await writeFile(join(node.directory, "..2", "ip-masq-agent"), config("50.0.0.0/8"));
    await symlink("..2", join(node.directory, "..data_tmp"));
    await rename(join(node.directory, "..data_tmp"), join(node.directory, "..data"));
    await expect.poll(() => sourceOf("50.1.1.1")).toBe("pod");
  });

  test("a bad config changes nothing, is told once, and what worked goes on being repaired", async () => {
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 200ms\n");
    const agent = node.start("--backend=nftables");
    await agent.line(inForce);
    await node.write("nonMasqueradeCIDRs: [10.1.2.3/8]\n");
    const told = await agent.line(({ level, code }) => level === "error" && code === "cidr-misaligned");
    expect(told.msg).toContain(`${node.file}:1: nonMasqueradeCIDRs[0] "10.1.2.3/8"`);
    await agent.line(({ msg }) => msg.includes("the last good one stays in force"));
    await node.must("nft", "flush", "ruleset");
    await agent.line(({ msg }) => msg === "drift repaired");
    expect(await sourceOf("10.1.1.1")).toBe("pod");
    const metrics = await node.metrics();
    expect(metrics.get("ip_masq_agent_config_last_reload_successful")).toBe(0);
    expect(metrics.get('ip_masq_agent_config_reloads_total{result="failure"}')).toBe(1);
    expect((await node.get("/readyz")).status).toBe(200);
    expect(agent.log.filter(({ code }) => code === "cidr-misaligned")).toHaveLength(1);
  });

  test("an agent that never had a good config leaves the kernel alone and is alive, but not ready", async () => {
    await node.write("- not a map\n");
    const agent = node.start("--backend=nftables");
    await agent.line(({ msg }) => msg.includes("no valid config yet"));
    expect(await node.get("/healthz")).toMatchObject({ status: 200 });
    expect(await node.get("/readyz")).toMatchObject({ status: 503, body: expect.stringContaining("not ready: ") });
    expect(await node.must("nft", "list", "tables")).toBe("");
    await node.write("{}");
    await agent.line(inForce);
    expect(await node.get("/readyz")).toMatchObject({ status: 200 });
  });
});

describe("choosing", () => {
  test.each([
    ["a fresh node", [], "auto", "nftables", "no trace of kube-proxy"],
    ["kube-proxy in nftables", ["nft add table ip kube-proxy"], "auto", "nftables", "kube-proxy has a table"],
    [
      "kube-proxy in iptables-nft",
      ["iptables-nft -t nat -N KUBE-SERVICES"],
      "auto",
      "iptables-nft",
      "chains are in iptables-nft",
    ],
    [
      "kube-proxy in iptables-legacy",
      ["iptables-legacy -t nat -N KUBE-POSTROUTING"],
      "auto",
      "iptables-legacy",
      "chains are in iptables-legacy",
    ],
    [
      "kube-proxy for IPv6 alone",
      ["ip6tables-nft -t nat -N KUBE-SERVICES"],
      "auto",
      "iptables-nft",
      "chains are in iptables-nft",
    ],
    [
      "a node of iptables-legacy",
      ["iptables-legacy -t nat -A POSTROUTING -o x -j RETURN"],
      "iptables",
      "iptables-legacy",
      "rules are in iptables-legacy",
    ],
    ["iptables on a fresh node", [], "iptables", "iptables-nft", "iptables-nft can run here"],
  ])("%s", async (_, commands, choice, chosen, why) => {
    await node.write("{}");
    for (const command of commands) await node.must(...command.split(" "));
    const line = await node.start(`--backend=${choice}`).line(({ msg }) => msg === "backend chosen");
    expect(line).toMatchObject({ backend: chosen, why: expect.stringContaining(why) });
  });

  test("looking does not load the legacy tables", async () => {
    await node.write("{}");
    await node.start("--backend=auto").line(inForce);
    const tables = await node.lab.run(["cat", "/proc/net/ip_tables_names"]);
    expect(tables.stdout).not.toContain("nat");
  });
});

describe("switching", () => {
  test("from any backend to any other, each cleans the former's rules after its own are in force", async () => {
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/8, fd00::/8]\n");
    for (const name of [
      "nftables",
      "iptables-nft",
      "iptables-legacy",
      "iptables-nft",
      "nftables",
      "iptables-legacy",
      "nftables",
    ] as const) {
      const { exitCode, stderr } = await node.lab.run([
        process.execPath,
        agentFile,
        "--once",
        `--backend=${name}`,
        `--config=${node.file}`,
        "--enable-ipv6",
      ]);
      expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ exitCode: 0, stderr: "" });
      for (const other of names) {
        for (const family of ["IPv4", "IPv6"] as const) {
          const { present } = await backendIn(node.lab.launcher, other).observe(family, AbortSignal.timeout(10_000));
          expect(`${other} ${family} ${present}`).toBe(`${other} ${family} ${other === name}`);
        }
      }
      expect(await Promise.all(["10.1.1.1", "11.1.1.1", "fd00::1", "2600::1"].map(sourceOf))).toEqual([
        "pod",
        "node",
        "pod",
        "node",
      ]);
    }
  });

  test("under traffic, no flow leaves with the wrong address while the backend changes", async () => {
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\n");
    const run = (name: string) =>
      node.lab.run([process.execPath, agentFile, "--once", `--backend=${name}`, `--config=${node.file}`]);
    await run("nftables");
    let going = true;
    const wrong: string[] = [];
    let sent = 0;
    const traffic = (async () => {
      while (going) {
        const arrivals = await node.lab.send([
          { family: "IPv4", destination: "10.7.7.7" },
          { family: "IPv4", destination: "11.7.7.7" },
        ]);
        sent += 2;
        if (arrivals[0]?.source !== node.lab.pod.IPv4) wrong.push(`exempt left as ${arrivals[0]?.source}`);
        if (arrivals[1]?.source !== node.lab.node.IPv4) wrong.push(`other left as ${arrivals[1]?.source}`);
      }
    })();
    for (const name of ["iptables-nft", "iptables-legacy", "nftables", "iptables-legacy", "iptables-nft", "nftables"]) {
      expect((await run(name)).exitCode).toBe(0);
    }
    going = false;
    await traffic;
    expect(wrong).toEqual([]);
    expect(sent).toBeGreaterThan(200);
  });

  test("IPv6 switched off, and a chain renamed: what the last run left goes", async () => {
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\n");
    const run = (...flags: readonly string[]) =>
      node.lab.run([
        process.execPath,
        agentFile,
        "--once",
        "--backend=iptables-nft",
        `--config=${node.file}`,
        ...flags,
      ]);
    await run("--enable-ipv6", "--masq-chain=OLD");
    expect(await node.must("ip6tables-nft-save", "-t", "nat")).toContain("-j OLD");
    expect((await run("--masq-chain=NEW")).exitCode).toBe(0);
    const [four, six] = [
      await node.must("iptables-nft-save", "-t", "nat"),
      await node.must("ip6tables-nft-save", "-t", "nat"),
    ];
    expect(four).toContain("-j NEW");
    expect(four + six).not.toContain("OLD");
    expect(six).not.toContain("NEW");
  });
});

describe("starting, stopping and failing", () => {
  test("SIGTERM ends it within a second with exit code 0, and the rules stay", async () => {
    await node.write("{}");
    const agent = node.start("--backend=nftables", "--enable-ipv6");
    await agent.line(inForce);
    const asked = performance.now();
    const ended = new Promise<number | null>((resolve) => agent.child.once("exit", resolve));
    agent.child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(performance.now() - asked).toBeLessThan(1_000);
    expect(await sourceOf("11.1.1.1")).toBe("node");
  });

  test("SIGTERM while a tool hangs, behind a script that holds its output: within a second all the same", async () => {
    await node.write("{}");
    const tools = join(node.directory, "bin");
    await mkdir(tools);
    await writeFile(
      join(tools, "nft"),
      '#!/bin/sh\ncase "$*" in -V) echo "nftables v1.0.6"; echo "json: yes";; *check*) ;; *) exec sleep 30;; esac\n',
      { mode: 0o755 },
    );
    await using agent = startAgent(
      [...node.lab.launcher, "env", `PATH=${tools}:/usr/bin:/bin`],
      [`--config=${node.file}`, "--backend=nftables", "--metrics-address="],
    );
    await agent.line(({ msg }) => msg === "backend chosen");
    const ended = new Promise((resolve) => agent.child.once("exit", resolve));
    const asked = performance.now();
    agent.child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(performance.now() - asked).toBeLessThan(1_000);
  });

  test("with NET_ADMIN alone (and NET_RAW for legacy), a read-only root and a private /run", async () => {
    await node.write("{}");
    await node.must("mount", "-o", "remount,bind,ro", "/");
    for (const [name, capabilities] of [
      ["nftables", "+net_admin"],
      ["iptables-nft", "+net_admin"],
      ["iptables-legacy", "+net_admin,+net_raw"],
    ] as const) {
      const wrapper = ["setpriv", "--bounding-set", `-all,${capabilities}`, "--inh-caps", "-all", "--no-new-privs"];
      const { exitCode, stderr } = await node.lab.run([
        ...wrapper,
        process.execPath,
        agentFile,
        "--once",
        `--backend=${name}`,
        `--config=${node.file}`,
      ]);
      expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ exitCode: 0, stderr: "" });
    }
  });

  test("as PID 1 it leaves no zombies behind, and ends at SIGTERM", async () => {
    await node.write("resyncInterval: 100ms\n");
    const launcher = [...node.lab.launcher, "unshare", "--pid", "--fork", "--kill-child"];
    await using agent = startAgent(launcher, [
      `--config=${node.file}`,
      "--backend=nftables",
      "--v=2",
      "--metrics-address=",
    ]);
    await expect
      .poll(() => agent.log.filter(({ msg }) => msg === "in sync").length, { timeout: 10_000 })
      .toBeGreaterThan(10);
    const [pid = 0] = await childrenOf(agent.child.pid ?? 0);
    const states = await Promise.all(
      (await childrenOf(pid)).map(
        async (child) => (await readFile(`/proc/${child}/stat`, "utf8").catch(() => "")).split(" ")[2],
      ),
    );
    expect(states).not.toContain("Z");
    const ended = new Promise((resolve) => agent.child.once("exit", resolve));
    process.kill(pid, "SIGTERM");
    expect(await ended).toBe(0);
  });

  test.each([
    ["a taken port", ["--metrics-address=127.0.0.1:10266"], "taken by another process"],
    ["an address that is not the node's", ["--metrics-address=203.0.113.9:80"], "is no address of this node"],
  ])("%s ends it with exit code 1 and a remedy", async (_, flags, message) => {
    await node.write("{}");
    // Another program has the port. Where it is another agent's, this one waits: conflict.kernel.test.ts.
    const script = 'require("net").createServer().listen(10266, "127.0.0.1", () => console.log("listening"))';
    const [file = "", ...words] = [...node.lab.launcher, process.execPath, "-e", script];
    const other = spawn(file, words, { stdio: ["ignore", "pipe", "inherit"] });
    await using _other = { [Symbol.asyncDispose]: () => ended(other) };
    await once(other.stdout, "data");
    const { exitCode, stderr } = await node.lab.run([
      process.execPath,
      agentFile,
      "--backend=nftables",
      `--config=${node.file}`,
      ...flags,
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).toContain("set --metrics-address");
  });

  test.each([
    ["no nft", ["env", "PATH=/nonexistent"], "nftables", "tool_missing", "install the package nftables"],
    ["no iptables", ["env", "PATH=/nonexistent"], "iptables", "tool_missing", "install the package iptables"],
    ["no backend at all", ["env", "PATH=/nonexistent"], "auto", "tool_missing", "no backend can run here"],
  ])("%s: said with its reason and remedy, exit code 1", async (_, wrapper, backend, reason, remedy) => {
    await node.write("{}");
    await chmod(node.directory, 0o755);
    const { exitCode, stderr } = await node.lab.run([
      ...wrapper,
      process.execPath,
      agentFile,
      "--once",
      `--backend=${backend}`,
      `--config=${node.file}`,
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`"reason":"${reason}"`);
    expect(stderr).toContain(remedy);
  });

  test("an agent that waits for its tool is alive, not ready, shows it in its metrics, and starts when the tool comes", async () => {
    await node.write("{}");
    const tools = join(node.directory, "bin");
    await mkdir(tools);
    await using poor = startAgent(
      [...node.lab.launcher, "env", `PATH=${tools}`],
      [`--config=${node.file}`, "--backend=nftables", "--metrics-address=127.0.0.1:10266"],
    );
    await poor.line(({ msg }) => msg.includes("nft is not in PATH"));
    expect((await node.get("/healthz")).status).toBe(200);
    expect(await node.get("/readyz")).toMatchObject({
      status: 503,
      body: expect.stringContaining("nft is not in PATH"),
    });
    const failures = 'ip_masq_agent_apply_failures_total{backend="nftables",ip_family="IPv4",reason="tool_missing"}';
    expect((await node.metrics()).get(failures)).toBeGreaterThan(0);
    await symlink("/usr/sbin/nft", join(tools, "nft"));
    await poor.line(inForce);
  });

  test("a lock held for ten seconds is waited for, reported as such, and got over", async () => {
    await node.write("{}");
    const held = node.lab.run(["sh", "-c", "exec 9>/run/xtables.lock; flock -x 9; sleep 10"]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const agent = node.start("--backend=iptables-legacy");
    const failed = await agent.line(({ reason }) => reason === "lock").catch((error: unknown) => error);
    expect(JSON.stringify(failed)).toContain("another program holds the xtables lock");
    await held;
    await agent.line(inForce);
    const failures = 'ip_masq_agent_apply_failures_total{backend="iptables-legacy",ip_family="IPv4",reason="lock"}';
    expect((await node.metrics()).get(failures)).toBeGreaterThan(0);
  });
});
