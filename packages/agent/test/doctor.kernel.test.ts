import { agentFile, toolchains } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Diagnosis } from "../src/doctor/diagnosis.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
  await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\n");
});
afterEach(() => node[Symbol.asyncDispose]());

interface Report {
  readonly code: number;
  readonly found: readonly Diagnosis[];
  /** `LEVEL CHECK WHAT` of errors and warnings. */
  readonly troubles: readonly string[];
}

async function doctor(prefix: readonly string[] = [], ...flags: readonly string[]): Promise<Report> {
  const words = [process.execPath, agentFile, "doctor", "-o", "json", `--config=${node.file}`, ...flags];
  const { exitCode, stdout, stderr } = await node.lab.run([...prefix, ...words]);
  if (stdout === "") throw new Error(stderr);
  const { findings } = JSON.parse(stdout) as { findings: readonly Diagnosis[] };
  const troubles = findings
    .filter(({ level }) => level === "error" || level === "warning")
    .map(({ level, check, what }) => `${level} ${check} ${what}`);
  return { code: exitCode, found: findings, troubles };
}

/** Whatever a look could change: rules of both worlds, and which legacy tables exist. */
async function state(): Promise<string> {
  return node.must("sh", "-c", "nft list ruleset; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names");
}

describe("doctor on a real node", () => {
  test("a clean one has no trouble, and is left as it is: no rule, no legacy table", async () => {
    const before = await state();
    const { code, troubles, found } = await doctor();
    expect({ code, troubles }).toEqual({ code: 0, troubles: [] });
    expect(await state()).toBe(before);
    for (const check of [
      "kernel",
      "privileges",
      "backend",
      "tools",
      "forwarding",
      "config",
      "rules",
      "foreign rules",
    ]) {
      expect(found.map((one) => one.check)).toContain(check);
    }
  });

  test.each([
    [
      "a foreign masquerade in iptables-nft",
      "iptables-nft -t nat -A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE",
      0,
      "warning foreign rules iptables-nft: POSTROUTING -s 10.244.0.0/16",
    ],
    [
      "one in iptables-legacy",
      "iptables-legacy -t nat -A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE",
      0,
      "warning foreign rules iptables-legacy: POSTROUTING",
    ],
    [
      "one in a table of nft",
      "nft 'table inet x { chain c { type nat hook postrouting priority 100; ip saddr 10.0.0.0/8 masquerade; }; }'",
      0,
      "warning foreign rules nft table inet x, chain c: ip saddr 10.0.0.0/8 masquerade",
    ],
    [
      "an SNAT behind a jump",
      "nft 'table ip y { chain d { snat to 192.0.2.2; }; chain c { type nat hook postrouting priority 90; jump d; }; }'",
      0,
      "warning foreign rules nft table ip y, chain d: snat to 192.0.2.2",
    ],
    [
      "the kubelet's rule",
      "iptables-nft -t nat -A POSTROUTING -m comment --comment 'kubelet: SNAT for outbound traffic from cluster' -m addrtype ! --dst-type LOCAL ! -d 10.0.0.0/8 -j MASQUERADE",
      0,
      "the kubelet's --non-masquerade-cidr",
    ],
    [
      "the chain of GKE's script",
      "iptables-nft -t nat -N IP-MASQ && iptables-nft -t nat -A IP-MASQ -j MASQUERADE && iptables-nft -t nat -A POSTROUTING -j IP-MASQ",
      0,
      "GKE's node set-up script",
    ],
    [
      "a nat table that iptables cannot read",
      "nft 'add table ip nat; add chain ip nat POSTROUTING { type nat hook postrouting priority 50; }'",
      0,
      "cannot read the nat table",
    ],
    ["forwarding off", "echo 0 > /proc/sys/net/ipv4/ip_forward", 1, "error forwarding IPv4 is off"],
    [
      "pods' range not exempt",
      "ip link add cni0 type bridge && ip address add 100.64.1.1/24 dev cni0",
      0,
      "warning pod ranges 100.64.1.0/24 is not exempt",
    ],
  ])("%s", async (_, command, code, words) => {
    await node.must("sh", "-c", command);
    const before = await state();
    const report = await doctor();
    expect(report.troubles.join("\n")).toContain(words);
    expect(report.troubles).toHaveLength(1);
    expect(report.code).toBe(code);
    for (const { level, why, remedy } of report.found) {
      if (level === "error" || level === "warning")
        expect([why, remedy].every((text) => text !== undefined && text !== "")).toBe(true);
    }
    expect(await state()).toBe(before);
  });

  test("an exempt 0.0.0.0/0, and a config that is not valid", async () => {
    await node.write("nonMasqueradeCIDRs: [0.0.0.0/0]\n");
    const all = await doctor();
    expect(all.troubles).toContain("warning config all of IPv4 is exempt");
    await node.write("nonMasqueradeCIDRs: [10.1.2.3/8]\n");
    const { code, troubles } = await doctor();
    expect(code).toBe(1);
    expect(troubles.join()).toContain("is not aligned");
  });

  test("rules of two backends at once, as two agents of different kinds leave them", async () => {
    const first = node.start("--backend=nftables");
    await first.line(({ msg }) => msg.startsWith("rules"));
    const second = node.start("--backend=iptables-nft", "--metrics-address=");
    await second.line(({ msg }) => msg.startsWith("rules"));
    await first.line(({ msg, trigger }) => msg === "drift repaired" || trigger === "poll");
    const { code, troubles } = await doctor();
    expect(code).toBe(1);
    expect(troubles.join("\n")).toContain("error agents 2 run on this node: ip-masq-agent (pid ");
    first.child.kill("SIGKILL");
    second.child.kill("SIGKILL");
    await expect
      .poll(async () => (await doctor()).troubles.join())
      .toContain("error rules IPv4: rules of nftables and iptables-nft at once");
  });

  test("one agent at work is no trouble; a missing tool is, where it is the one asked for", async () => {
    await node.start("--backend=nftables").line(({ msg }) => msg.startsWith("rules"));
    expect(await doctor()).toMatchObject({ code: 0, troubles: [] });
    const { troubles } = await doctor(["env", "PATH=/nonexistent"], "--backend=nftables");
    expect(troubles.join()).toContain("error backend nft is not in PATH");
  });

  const newer = toolchains().find(({ name }) => name === "trixie");
  test.skipIf(newer === undefined)(
    "tables that this nft cannot read are told by name, and hide no others",
    async () => {
      const write = (text: string) =>
        node.must(...(newer?.prefix ?? []), "sh", "-c", `printf '%s' '${text}' | nft -f -`);
      await node.must(
        "nft",
        "table inet firewalld { chain c { type nat hook postrouting priority 100; masquerade; }; }",
      );
      await write(
        "table ip newer { set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 11.0.0.0/8 }; }; chain c { type nat hook postrouting priority 90; ip daddr @s masquerade; }; }",
      );
      const { code, troubles } = await doctor();
      expect(code).toBe(0);
      expect(troubles.join("\n")).toContain("this nft crashes on the names of tables");
      expect(troubles.join("\n")).toContain("nft table inet firewalld, chain c: masquerade");
    },
  );
  if (newer === undefined)
    process.stderr.write("tables of a newer nft are not tested: Debian trixie's tools are not here\n");
});
