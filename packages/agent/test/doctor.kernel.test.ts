import { agentFile, toolchains } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Diagnosis } from "../src/doctor/diagnosis.ts";
import { backendIn } from "./backends.ts";
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

/**
 * Whatever a look could change: rules of both worlds, and which legacy tables exist. The legacy tool is asked only
 * where the table is there, since asking makes it.
 */
async function state(): Promise<string> {
  const legacy = "grep -qs nat /proc/net/ip_tables_names && iptables-legacy-save -t nat | grep -v ^#";
  const tables = "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names";
  return node.must("sh", "-c", `nft list ruleset; iptables-nft-save | grep -v ^#; ${legacy}; ${tables}`);
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
    [
      "a masquerade of all that leaves by one device",
      "iptables-nft -t nat -A POSTROUTING -o eth0 -j MASQUERADE",
      0,
      "warning foreign rules iptables-nft: POSTROUTING -o eth0 -j MASQUERADE",
    ],
    [
      "a masquerade of just what is exempt",
      "iptables-nft -t nat -A POSTROUTING -d 10.0.0.0/8 -j MASQUERADE",
      0,
      "warning foreign rules iptables-nft: POSTROUTING -d 10.0.0.0/8",
    ],
    [
      "a masquerade of all that has no mark",
      "iptables-nft -t nat -A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j MASQUERADE",
      0,
      "warning foreign rules iptables-nft: POSTROUTING -m mark !",
    ],
    [
      "a masquerade by device in a table of nft",
      "nft 'table inet x { chain c { type nat hook postrouting priority 130; oifname eth0 masquerade; }; }'",
      0,
      'warning foreign rules nft table inet x, chain c: oifname "eth0" masquerade',
    ],
    [
      "a masquerade behind a map of verdicts",
      "nft 'table ip y { map m { type ipv4_addr : verdict; flags interval; }; chain d { masquerade; }; chain c { type nat hook postrouting priority 90; ip saddr vmap @m; }; }; add element ip y m { 10.0.0.0/8 : jump d }'",
      0,
      "warning foreign rules nft table ip y, chain d: masquerade",
    ],
    [
      "ACCEPT before the place of our jump",
      "iptables-nft -t nat -N KUBE-SERVICES && iptables-nft -t nat -A POSTROUTING -s 10.244.0.0/16 -j ACCEPT",
      0,
      "warning foreign rules iptables-nft: POSTROUTING -s 10.244.0.0/16 -j ACCEPT",
    ],
    [
      "a chain of the original under another name",
      "iptables-nft -t nat -N OLD && iptables-nft -t nat -A OLD -j MASQUERADE && iptables-nft -t nat -A POSTROUTING -m comment --comment 'ip-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom IP-MASQ-AGENT chain' -m addrtype ! --dst-type LOCAL -j OLD",
      0,
      "warning leftovers iptables-nft: the chain OLD",
    ],
    ["forwarding off", "echo 0 > /proc/sys/net/ipv4/ip_forward", 1, "error forwarding IPv4 is off"],
    [
      "pods' range not exempt",
      "ip link add cni0 type bridge && ip address add 100.64.1.1/24 dev cni0",
      0,
      "warning pod ranges 100.64.1.0/24 is not exempt",
    ],
    [
      "routes to other nodes' pods not exempt",
      "ip link add flannel.1 type bridge && ip link set flannel.1 up && ip route add 100.64.2.0/24 dev flannel.1 && ip route add 100.64.3.0/24 dev flannel.1",
      0,
      "warning pod ranges 100.64.2.0/23 is not exempt (routes to pods)",
    ],
    [
      "chains of both kinds",
      "iptables-nft -t nat -N IP-MASQ-AGENT && iptables-nft -t nat -A IP-MASQ-AGENT -j MASQUERADE && iptables-nft -t nat -A POSTROUTING -j IP-MASQ-AGENT && iptables-legacy -t nat -N IP-MASQ-AGENT && iptables-legacy -t nat -A IP-MASQ-AGENT -j MASQUERADE && iptables-legacy -t nat -A POSTROUTING -j IP-MASQ-AGENT",
      1,
      "error rules IPv4: rules of iptables-nft and iptables-legacy at once",
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

  test("rules that are somebody's special case, or in a place of their own, are no trouble", async () => {
    await node.must(
      "iptables-nft",
      "-t",
      "nat",
      "-A",
      "POSTROUTING",
      ..."-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE".split(" "),
    );
    await node.must(
      "iptables-nft",
      "-t",
      "nat",
      "-A",
      "POSTROUTING",
      ..."-m mark --mark 0x2000/0x2000 -j MASQUERADE".split(" "),
    );
    await node.must("nft", "table ip6 x { chain c { type nat hook postrouting priority 0; masquerade; }; }");
    await node.must("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-j", "ACCEPT");
    // Ours go to nftables: an ACCEPT elsewhere keeps no packet from them, as the kernel itself shows.
    await node.start("--backend=nftables").line(({ msg }) => msg.startsWith("rules"));
    const [arrival] = await node.lab.send([{ family: "IPv4", destination: "11.1.1.1" }]);
    expect(arrival?.source).toBe(node.lab.node.IPv4);
    expect(await doctor([], "--backend=nftables")).toMatchObject({ code: 0, troubles: [] });
  });

  test("rules that iptables cannot print are read with nft", async () => {
    const hook = "type nat hook postrouting priority 50;";
    await node.must("nft", `table ip nat { chain POSTROUTING { ${hook}; oifname eth0 masquerade; }; }`);
    const { code, troubles } = await doctor();
    expect(code).toBe(0);
    expect(troubles).toEqual([
      expect.stringContaining("iptables-nft cannot read the nat table"),
      'warning foreign rules nft table ip nat, chain POSTROUTING: oifname "eth0" masquerade',
    ]);
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

  test("two agents, and rules of two backends at once, as agents without a lock leave them", async () => {
    const first = node.start("--backend=nftables");
    await first.line(({ msg }) => msg.startsWith("rules"));
    const second = node.start("--backend=iptables-nft", "--metrics-address=");
    await second.line(({ level }) => level === "error");
    const { code, troubles } = await doctor();
    expect(code).toBe(1);
    expect(troubles.join("\n")).toContain("error agents 2 run on this node: ip-masq-agent (pid ");
    // The one that waits goes first: it would take over, and remove the other's rules.
    await second[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    const signal = AbortSignal.timeout(10_000);
    const [ours, other] = [backendIn(node.lab.launcher, "nftables"), backendIn(node.lab.launcher, "iptables-nft")];
    const { policy } = await ours.observe("IPv4", signal);
    if (policy === undefined) throw new Error("the first agent left no rules");
    const desired = other.render(policy, await other.probe(signal));
    await other.apply(other.plan(desired, await other.observe("IPv4", signal)), signal);
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
