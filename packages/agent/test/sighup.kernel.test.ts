import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { agentFile, startAgent } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
});
afterEach(() => node[Symbol.asyncDispose]());

const inForce = ({ msg }: { readonly msg: string }) => msg.startsWith("rules");
const hangup = ({ msg }: { readonly msg: string }) => msg.startsWith("SIGHUP: ");
const isAlive = ({
  child,
}: {
  readonly child: { readonly exitCode: number | null; readonly signalCode: string | null };
}) => child.exitCode === null && child.signalCode === null;

test("it compares every family now, though nothing changed and nobody told of drift", async () => {
  await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 1h\n");
  const agent = node.start("--backend=iptables-legacy", "--enable-ipv6", "--drift-check-interval=1h", "--v=2");
  await expect.poll(() => agent.log.filter(inForce).length).toBe(2);
  for (const tool of ["iptables-legacy", "ip6tables-legacy"]) await node.must(tool, "-t", "nat", "-F", "IP-MASQ-AGENT");
  agent.child.kill("SIGHUP");
  await expect.poll(() => agent.log.filter(({ msg }) => msg === "drift repaired").length).toBe(2);
  agent.child.kill("SIGHUP");
  await expect.poll(() => agent.log.filter(({ msg }) => msg === "in sync").length).toBe(2);
  expect(agent.log.filter(hangup)).toHaveLength(2);
  expect(isAlive(agent)).toBe(true);
});

test("it reads the config now, where no event tells of a change", async () => {
  const elsewhere = join(node.directory, "elsewhere");
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, "f"), "nonMasqueradeCIDRs: [10.0.0.0/8]\n");
  await symlink(join(elsewhere, "f"), node.file);
  const agent = node.start("--backend=nftables");
  await agent.line(inForce);
  await writeFile(join(elsewhere, "f"), "nonMasqueradeCIDRs: [20.0.0.0/8]\n");
  const asked = performance.now();
  agent.child.kill("SIGHUP");
  await expect
    .poll(async () => (await node.lab.send([{ family: "IPv4", destination: "20.1.1.1" }]))[0]?.source)
    .toBe(node.lab.pod.IPv4);
  // Without it, up to 5 s.
  expect(performance.now() - asked).toBeLessThan(2_000);
});

test("while no backend can run it tries again now, and while there is no config it goes on waiting", async () => {
  const tools = join(node.directory, "bin");
  await mkdir(tools);
  await using agent = startAgent(
    [...node.lab.launcher, "env", `PATH=${tools}`],
    [`--config=${node.file}`, "--backend=nftables", "--metrics-address="],
  );
  await agent.line(({ msg }) => msg.includes("nft is not in PATH"));
  // By now it waits for four seconds between two tries.
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  await symlink("/usr/sbin/nft", join(tools, "nft"));
  const asked = performance.now();
  agent.child.kill("SIGHUP");
  await agent.line(({ msg }) => msg === "backend chosen");
  expect(performance.now() - asked).toBeLessThan(2_000);
  agent.child.kill("SIGHUP");
  await expect.poll(() => agent.log.filter(hangup).length).toBe(2);
  await node.write("{}");
  await agent.line(inForce);
});

test("one pass, and a command that stays, are ended by it as any program", async () => {
  await node.write("{}");
  const tools = join(node.directory, "bin");
  await mkdir(tools);
  const hanging =
    '#!/bin/sh\ncase "$*" in -V) echo "nftables v1.0.6"; echo "json: yes";; *check*) ;; *) exec sleep 30;; esac\n';
  await writeFile(join(tools, "nft"), hanging, { mode: 0o755 });
  const path = ["env", `PATH=${tools}:/usr/bin:/bin`];
  await using once = startAgent(
    [...node.lab.launcher, ...path],
    ["--once", `--config=${node.file}`, "--backend=nftables", "--metrics-address="],
  );
  await once.line(({ msg }) => msg === "backend chosen");
  const ended = new Promise((resolve) => once.child.once("exit", (_, signal) => resolve(signal)));
  once.child.kill("SIGHUP");
  expect(await ended).toBe("SIGHUP");

  const stay = `timeout --signal=HUP 3 ${process.execPath} ${agentFile} cleanup --stay --metrics-address=; echo $?`;
  // timeout's own code for "it had to be ended".
  expect((await node.must("sh", "-c", stay)).trim().split("\n").at(-1)).toBe("124");
});
