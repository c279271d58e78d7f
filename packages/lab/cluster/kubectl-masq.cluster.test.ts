import { symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agentProcess, system } from "./agents.ts";
import { noCluster } from "./cluster.ts";
import { openSide, type Side } from "./cluster-side.ts";
import { noKustomize } from "./manifests.ts";
import { targets } from "./outside.ts";

const reason = noCluster() ?? (await noKustomize());
if (reason !== undefined) process.stderr.write(`kubectl masq is not tried: ${reason}\n`);

const plugin = fileURLToPath(new URL("../../agent/dist/kubectl-masq.js", import.meta.url));

describe.skipIf(reason !== undefined)("kubectl masq, on a Kubernetes of two nodes", () => {
  let side: Side;
  beforeAll(async () => {
    side = await openSide();
    await symlink(plugin, join(side.scratch, "kubectl-masq"));
    await side.deploy("nftables");
  });
  afterAll(() => side?.[Symbol.asyncDispose]());

  /** As a person with kubectl would, on node 1, with the administrator's credentials. */
  async function masq(...words: readonly string[]): Promise<CommandResult> {
    const path = `${side.scratch}:${dirname(process.execPath)}:${process.env["PATH"]}`;
    return side.cluster.onNode(1, ["env", `PATH=${path}`, "kubectl", "masq", ...words]);
  }

  /** What is asked while a process on node 2 stands still. */
  async function masqWithout(pattern: string, ...words: readonly string[]): Promise<CommandResult> {
    const [pid] = await side.agents.processes(2, pattern);
    if (pid === undefined) throw new Error(`nothing on node 2 runs as ${pattern}`);
    await side.cluster.onNode(2, ["kill", "-STOP", pid]);
    try {
      return await masq(...words);
    } finally {
      await side.cluster.onNode(2, ["kill", "-CONT", pid]);
    }
  }

  test("status of two that are alike", async () => {
    const alike = await masq("status");
    expect(alike).toMatchObject({ exitCode: 0, stderr: "" });
    expect(alike.stdout).toMatch(/^node1 +nftables [\d.]+ +[0-9a-f]{12} +in sync +\d+\+? +\d+$/m);
    expect(alike.stdout).toContain("2 nodes: 2 in sync");
  });

  test("explain asks the pod's node, with the pod's address", async () => {
    const senders = JSON.parse(await side.cluster.kubectl(["get", "pods", "-l", "app=sender", "-o", "json"])) as {
      items: { metadata: { name: string }; spec: { nodeName: string } }[];
    };
    expect(senders.items).toHaveLength(2);
    for (const { metadata, spec } of senders.items) {
      const one = await masq("explain", metadata.name, targets.exempt);
      expect(one).toMatchObject({ exitCode: 0 });
      expect(one.stdout).toContain(`pod default/${metadata.name}`);
      expect(one.stdout).toContain(`on ${spec.nodeName}`);
      expect(one.stdout).toContain("exempt: keeps the sender's address");
      expect((await masq("explain", metadata.name, targets.other)).stdout).toContain("leaves as");
    }
    expect((await masq("explain", "no-such-pod", targets.other)).stderr).toContain('pods "no-such-pod" not found');
  });

  test("doctor of all nodes, of one, and of one that is not", async () => {
    const examined = await masq("doctor");
    expect(examined.stdout).toContain("node1: ");
    expect(examined.stdout).toContain("node2: ");
    expect((await masq("doctor", "node2")).stdout).toMatch(/node2: [\s\S]*0 error/);
    expect(await masq("doctor", "node9")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("there is no node node9"),
    });
  });

  test("an agent that does not answer, and a kubelet that does not", async () => {
    expect(await masqWithout(agentProcess, "status")).toMatchObject({
      exitCode: 3,
      stdout: expect.stringContaining("no answer: ip-masq-agent: no agent answers"),
    });
    const from = performance.now();
    const silent = await masqWithout("/kubelet --config", "status", "--timeout=3s", "-o", "json");
    expect(performance.now() - from).toBeLessThan(15_000);
    expect(silent.exitCode).toBe(3);
    expect(JSON.parse(silent.stdout)).toMatchObject({
      nodes: [
        { node: "node1", inSync: true },
        { node: "node2", problem: "nothing came in 3 s" },
      ],
    });
  });

  test("one on another backend", async () => {
    // Only the pod that is deleted is made anew with the other backend.
    const patch = [
      { op: "replace", path: "/spec/updateStrategy", value: { type: "OnDelete" } },
      { op: "replace", path: "/spec/template/spec/containers/0/args/0", value: "--backend=iptables" },
    ];
    await side.cluster.kubectl([
      "patch",
      ...system,
      "daemonset/ip-masq-agent",
      "--type=json",
      "-p",
      JSON.stringify(patch),
    ]);
    const there = ["-l", "k8s-app=ip-masq-agent", "--field-selector=spec.nodeName=node2"];
    await side.cluster.kubectl(["delete", "pod", ...system, ...there, "--wait"]);
    await expect
      .poll(async () => (await masq("status")).stdout, { timeout: 60_000, interval: 1_000 })
      .toContain("2 nodes: 2 in sync");
    const mixed = await masq("status");
    expect(mixed.exitCode).toBe(3);
    for (const line of ["node1: backend nftables", "node2: backend iptables-nft"])
      expect(mixed.stdout).toContain(`${line}; there is no majority`);
    process.stderr.write(`kubectl masq status, with two backends:\n${mixed.stdout}`);
  });
});
