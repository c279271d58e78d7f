import { spawn } from "node:child_process";
import { type AgentProcess, agentFile, childWith, toolchains } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Status } from "../src/status/status.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

const toolchain = toolchains().find(({ name }) => name === "trixie");
if (toolchain === undefined)
  process.stderr.write("--protect-rules is not tested: it takes nft 1.1, of Debian trixie's tools\n");
const tools = toolchain?.prefix ?? [];
const config = "nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 10m\n";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
  await node.write(config);
});
afterEach(() => node[Symbol.asyncDispose]());

async function started(...flags: readonly string[]): Promise<AgentProcess> {
  const agent = node.startWith(tools, ...flags);
  await agent.line(({ msg }) => msg.startsWith("rules"));
  return agent;
}

async function killed(agent: AgentProcess): Promise<void> {
  const ended = new Promise((resolve) => agent.child.once("exit", resolve));
  agent.child.kill("SIGKILL");
  await ended;
}

async function flags(): Promise<string> {
  const { stdout } = await node.lab.run([...tools, "nft", "--terse", "list", "table", "ip", "ip-masq-agent"]);
  return /^\tflags (.*)$/m.exec(stdout)?.[1] ?? "";
}

/** Sends to an exempt and to another destination for as long as `work` takes; gives what arrived with a wrong source. */
async function wrongWhile(work: () => Promise<void>): Promise<readonly string[]> {
  let working = true;
  let sent = 0;
  const wrong: string[] = [];
  const sending = (async () => {
    for (; working || sent <= 20; sent++) {
      const [exempt, other] = await node.lab.send([
        { family: "IPv4", destination: `10.${sent & 127}.1.1` },
        { family: "IPv4", destination: `11.${sent & 127}.1.1` },
      ]);
      if (exempt?.source !== node.lab.pod.IPv4) wrong.push(`exempt: ${exempt?.source}`);
      if (other?.source !== node.lab.node.IPv4) wrong.push(`other: ${other?.source}`);
    }
  })();
  await work().finally(() => {
    working = false;
  });
  await sending;
  return wrong;
}

async function holderOf(agent: AgentProcess): Promise<number> {
  const found = await childWith(agent.child.pid ?? 0, (command) => command.endsWith("\0-i\0"));
  if (found !== undefined) return found;
  throw new Error("no interactive nft is running");
}

describe.skipIf(toolchain === undefined)("--protect-rules with nft 1.1.3 and this kernel", () => {
  test("auto protects, says so, and nft flush ruleset is without effect", async () => {
    const agent = await started("--backend=nftables");
    expect(agent.log.find(({ msg }) => msg === "backend chosen")).toMatchObject({ protected: true });
    expect((await node.metrics()).get('ip_masq_agent_rules_protected{backend="nftables"}')).toBe(1);
    await node.must(...tools, "nft", "flush", "ruleset");
    expect(await flags()).toBe("owner,persist");
    const { drifts, backend } = JSON.parse((await node.get("/statusz", { accept: "application/json" })).body) as Status;
    expect({ drifts, isProtected: backend?.protected }).toEqual({ drifts: [], isProtected: true });
  });

  test("a change of the config goes through the owner", async () => {
    await started("--backend=nftables");
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/8, 13.0.0.0/8]\nresyncInterval: 10m\n");
    await expect
      .poll(async () => (await node.lab.send([{ family: "IPv4", destination: "13.1.1.1" }]))[0]?.source)
      .toBe(node.lab.pod.IPv4);
    expect(await flags()).toBe("owner,persist");
  });

  test.each(["SIGTERM", "SIGKILL"] as const)(
    "%s and a restart: no packet goes wrong, and the next agent owns the table",
    async (signal) => {
      const first = await started("--backend=nftables");
      const wrong = await wrongWhile(async () => {
        if (signal === "SIGKILL") await killed(first);
        else await first[Symbol.asyncDispose]();
        await expect.poll(flags).toBe("persist");
        await started("--backend=nftables");
      });
      expect(wrong).toEqual([]);
      expect(await flags()).toBe("owner,persist");
    },
  );

  test("kill -9 of the holder: the table is owned again at once, and no packet goes wrong", async () => {
    const agent = await started("--backend=nftables");
    const wrong = await wrongWhile(async () => {
      process.kill(await holderOf(agent), "SIGKILL");
      await agent.line(({ msg }) => msg.startsWith("the process that protects our tables has ended"));
      await expect.poll(flags).toBe("owner,persist");
    });
    expect(wrong).toEqual([]);
  });

  test("from unprotected to protected and back, no packet goes wrong", async () => {
    const plain = await started("--backend=nftables", "--protect-rules=off");
    expect(await flags()).toBe("");
    const wrong = await wrongWhile(async () => {
      await plain[Symbol.asyncDispose]();
      const owner = await started("--backend=nftables", "--protect-rules=on");
      expect(await flags()).toBe("owner,persist");
      await owner[Symbol.asyncDispose]();
      await started("--backend=nftables", "--protect-rules=off");
    });
    expect(wrong).toEqual([]);
  });

  test("to iptables-nft and back, no packet goes wrong, and one kind of rules is left", async () => {
    const owner = await started("--backend=nftables");
    const wrong = await wrongWhile(async () => {
      await killed(owner);
      const other = await started("--backend=iptables-nft");
      await expect.poll(flags).toBe("");
      await other[Symbol.asyncDispose]();
      await started("--backend=nftables");
    });
    expect(wrong).toEqual([]);
    await expect
      .poll(async () => (await node.must("iptables-nft-save", "-t", "nat")).includes("MASQ-AGENT"))
      .toBe(false);
    expect(await flags()).toBe("owner,persist");
  });

  test("on with auto goes where rules can be protected, though kube-proxy is elsewhere; plan says the same", async () => {
    await node.must(...tools, "iptables-nft", "-t", "nat", "-N", "KUBE-SERVICES");
    const agent = await started("--backend=auto", "--protect-rules=on");
    expect(agent.log.find(({ msg }) => msg === "backend chosen")).toMatchObject({
      ...{ backend: "nftables", protected: true },
      why: "--protect-rules=on, and nftables alone can protect its rules",
    });
    expect(await flags()).toBe("owner,persist");
    const words = ["plan", `--config=${node.file}`, "--protect-rules=on", "-o", "json"];
    const plan = await node.lab.run([...tools, process.execPath, agentFile, ...words]);
    expect(JSON.parse(plan.stdout)).toMatchObject({ backend: "nftables" });
  });

  test("a second agent is told of the first one, and leaves its table alone", async () => {
    await started("--backend=nftables");
    const second = node.startWith(tools, "--backend=nftables", "--metrics-address=");
    const line = await second.line(({ level }) => level === "error");
    expect(line.msg).toMatch(/^another ip-masq-agent .* keeps the rules of this node/);
    expect(await flags()).toBe("owner,persist");
  });

  test("a table that another process owns: said with the remedy, which works", async () => {
    const [file = "", ...words] = [...node.lab.launcher, ...tools, "nft", "-i"];
    const owner = spawn(file, words, { stdio: ["pipe", "ignore", "ignore"] });
    try {
      owner.stdin.write("table ip ip-masq-agent { flags owner,persist; }\n");
      await expect.poll(flags).toBe("owner,persist");
      const agent = node.startWith(tools, "--backend=nftables");
      const refused = await agent.line(({ level }) => level === "error");
      expect(JSON.stringify(refused)).toContain("stop the other agent that runs on this node with --protect-rules");
      owner.stdin.end();
      await agent.line(({ msg }) => msg.startsWith("rules"));
      expect(await flags()).toBe("owner,persist");
    } finally {
      owner.kill("SIGKILL");
    }
  });
});

test("on, where nft cannot: nothing is written, the error says what it takes, and its remedy works", async () => {
  await using old = await openNode();
  const version = await old.must("nft", "--version");
  if (/v1\.[1-9]/.test(version)) {
    process.stderr.write(`this system's nft can protect (${version.trim()}): where it cannot is not tested\n`);
    return;
  }
  await old.write(config);
  await old.must("iptables-nft", "-t", "nat", "-N", "KUBE-SERVICES");
  for (const backend of ["nftables", "auto"]) {
    const words = [process.execPath, agentFile, "--once", `--backend=${backend}`, `--config=${old.file}`];
    const on = await old.lab.run([...words, "--protect-rules=on"]);
    expect(on.exitCode).toBe(1);
    expect(on.stderr).toContain("it takes nft 1.1 and kernel 6.9, or --protect-rules=auto");
    expect(await old.must("nft", "list", "tables")).not.toContain("ip-masq-agent");
    expect(await old.must("iptables-nft-save", "-t", "nat")).not.toContain("IP-MASQ-AGENT");
    const plan = await old.lab.run([process.execPath, agentFile, "plan", `--config=${old.file}`, "--protect-rules=on"]);
    expect({ exitCode: plan.exitCode, stderr: plan.stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining("it takes nft 1.1 and kernel 6.9"),
    });
    // The remedy.
    const auto = await old.lab.run([...words, "--protect-rules=auto"]);
    expect(auto).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('"protected":false') });
    await old.lab.run([process.execPath, agentFile, "cleanup", "--metrics-address="]);
  }
});
