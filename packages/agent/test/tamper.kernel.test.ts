import { type DriftKind, derivePolicy, fingerprint, type Policy, readConfig } from "@ip-masq-agent/core";
import type { AgentProcess } from "@ip-masq-agent/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackendName } from "../src/backends.ts";
import { backendIn, names } from "./backends.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

const config = "nonMasqueradeCIDRs: [10.0.0.0/8, 172.16.0.0/12]\nresyncInterval: 200ms\n";

interface Tampering {
  readonly name: string;
  readonly commands: readonly string[];
  readonly kinds: readonly DriftKind[];
}

const [table, chain] = ["ip ip-masq-agent", "IP-MASQ-AGENT"];
const ofNftables: readonly Tampering[] = [
  { name: "flush chain", commands: [`nft flush chain ${table} postrouting`], kinds: ["missing"] },
  { name: "foreign rule at head", commands: [`nft insert rule ${table} postrouting accept`], kinds: ["extra"] },
  { name: "foreign rule at tail", commands: [`nft add rule ${table} postrouting accept`], kinds: ["extra"] },
  {
    name: "delete first rule",
    commands: [
      `nft flush chain ${table} postrouting`,
      `nft add rule ${table} postrouting ip daddr @exempt counter return`,
      `nft add rule ${table} postrouting counter masquerade fully-random`,
    ],
    kinds: ["missing"],
  },
  {
    name: "rules in another order",
    commands: [
      `nft flush chain ${table} postrouting`,
      `nft add rule ${table} postrouting ip daddr @exempt counter return`,
      `nft add rule ${table} postrouting fib daddr type local return`,
      `nft add rule ${table} postrouting counter masquerade fully-random`,
    ],
    kinds: ["order"],
  },
  {
    name: "another rule in place of ours",
    commands: [
      `nft flush chain ${table} postrouting`,
      `nft add rule ${table} postrouting fib daddr type local return`,
      `nft add rule ${table} postrouting ip daddr @exempt counter accept`,
      `nft add rule ${table} postrouting counter masquerade fully-random`,
    ],
    kinds: ["modified"],
  },
  { name: "delete chain", commands: [`nft delete chain ${table} postrouting`], kinds: ["jump", "missing"] },
  {
    name: "another hook priority",
    commands: [
      `nft delete chain ${table} postrouting`,
      `nft add chain ${table} postrouting { type nat hook postrouting priority -5; }`,
    ],
    kinds: ["jump", "missing"],
  },
  { name: "flush nat", commands: [`nft flush table ${table}`], kinds: ["missing"] },
  { name: "flush ruleset", commands: ["nft flush ruleset"], kinds: ["table"] },
  { name: "delete table", commands: [`nft delete table ${table}`], kinds: ["table"] },
  { name: "dormant table", commands: [`nft add table ${table} { flags dormant; }`], kinds: ["table"] },
  { name: "element deleted", commands: [`nft delete element ${table} exempt { 10.0.0.0/8 }`], kinds: ["missing"] },
  { name: "element added", commands: [`nft add element ${table} exempt { 11.0.0.0/8 }`], kinds: ["extra"] },
];

function ofIptables(tool: string): readonly Tampering[] {
  const nat = `${tool} -t nat`;
  return [
    { name: "flush chain", commands: [`${nat} -F ${chain}`], kinds: ["missing"] },
    { name: "delete jump", commands: [`${nat} -D POSTROUTING 1`], kinds: ["jump"] },
    { name: "foreign rule at head", commands: [`${nat} -I ${chain} -j ACCEPT`], kinds: ["extra"] },
    { name: "foreign rule at tail", commands: [`${nat} -A ${chain} -j ACCEPT`], kinds: ["extra"] },
    { name: "delete first rule", commands: [`${nat} -D ${chain} 1`], kinds: ["missing"] },
    {
      name: "rules in another order",
      commands: [`${nat} -D ${chain} 1`, `${nat} -I ${chain} 2 -d 10.0.0.0/8 -j RETURN`],
      kinds: ["order"],
    },
    {
      name: "another rule in place of ours",
      commands: [`${nat} -R ${chain} 1 -d 11.0.0.0/8 -j RETURN`],
      kinds: ["modified"],
    },
    {
      name: "delete chain",
      commands: [`${nat} -D POSTROUTING 1`, `${nat} -F ${chain}`, `${nat} -X ${chain}`],
      kinds: ["jump", "table"],
    },
    { name: "flush nat", commands: [`${nat} -F`], kinds: ["jump", "missing"] },
    ...(tool === "iptables-nft"
      ? [
          { name: "flush ruleset", commands: ["nft flush ruleset"], kinds: ["jump", "table"] as const },
          { name: "delete table", commands: ["nft delete table ip nat"], kinds: ["jump", "table"] as const },
        ]
      : []),
    {
      name: "duplicate jump",
      commands: [`${nat} -A POSTROUTING -m addrtype ! --dst-type LOCAL -j ${chain}`],
      kinds: ["jump"],
    },
    { name: "unconditional jump", commands: [`${nat} -I POSTROUTING -j ${chain}`], kinds: ["jump"] },
  ];
}

const tamperings: Readonly<Record<BackendName, readonly Tampering[]>> = {
  nftables: ofNftables,
  "iptables-nft": ofIptables("iptables-nft"),
  "iptables-legacy": ofIptables("iptables-legacy"),
};

describe.each(names)("tampering with %s", (name) => {
  let node: NodeUnderTest;
  let agent: AgentProcess;
  beforeAll(async () => {
    node = await openNode();
    await node.write(config);
    agent = node.start(`--backend=${name}`);
    await agent.line(({ msg }) => msg.startsWith("rules"));
  });
  afterAll(() => node[Symbol.asyncDispose]());

  const policyNow = async () => {
    const { policy } = await backendIn(node.lab.launcher, name).observe("IPv4", AbortSignal.timeout(10_000));
    return policy && fingerprint({ IPv4: policy });
  };

  test.each(tamperings[name])(
    "$name: the next resync repairs it, and counts it as $kinds",
    async ({ commands, kinds }) => {
      const before = await node.metrics();
      // A resync between two commands would see half of the tampering: the agent stands still meanwhile, and a tool
      // that it has just started is given the time to end.
      agent.child.kill("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 100));
      await node.must("sh", "-c", commands.map((command) => command.replaceAll(/[{};!]/g, "\\$&")).join(" && "));
      agent.child.kill("SIGCONT");
      await expect.poll(policyNow, { timeout: 5_000 }).toBe(fingerprint(wanted()));
      const after = await node.metrics();
      expect(grownKinds(before, after)).toEqual([...kinds].toSorted());
      const series = `ip_masq_agent_drift_repairs_total{backend="${name}",ip_family="IPv4",result="repaired"}`;
      expect((after.get(series) ?? 0) - (before.get(series) ?? 0)).toBe(1);
      const [exempt, masqueraded] = await node.lab.send([
        { family: "IPv4", destination: "10.9.8.7" },
        { family: "IPv4", destination: "11.9.8.7" },
      ]);
      expect([exempt?.source, masqueraded?.source]).toEqual([node.lab.pod.IPv4, node.lab.node.IPv4]);
    },
  );

  test("in-sync resyncs write nothing: the kernel's counters live on", async () => {
    await node.lab.send(Array.from({ length: 20 }, () => ({ family: "IPv4" as const, destination: "11.1.1.1" })));
    const read = async () =>
      (await backendIn(node.lab.launcher, name).observe("IPv4", AbortSignal.timeout(10_000))).counters;
    const counters = await read();
    expect(counters.masqueradedPackets).toBeGreaterThanOrEqual(20);
    const syncs = `ip_masq_agent_syncs_total{backend="${name}",ip_family="IPv4",result="in_sync"}`;
    const at = (await node.metrics()).get(syncs) ?? 0;
    await expect.poll(async () => (await node.metrics()).get(syncs), { timeout: 10_000 }).toBeGreaterThan(at + 3);
    expect(await read()).toEqual(counters);
    expect(
      (await node.metrics()).get('ip_masq_agent_masqueraded_connections_total{ip_family="IPv4"}'),
    ).toBeGreaterThanOrEqual(20);
  });
});

function wanted(): Policy {
  const options = { reservedRanges: false, strict: false, enableIPv6: false };
  const { config: read } = readConfig([{ file: "test", content: Buffer.from(config) }], options);
  if (read === undefined) throw new Error("the test's own config is not valid");
  return derivePolicy(read, { enableIPv6: false, randomFully: true, toPorts: [] });
}

function grownKinds(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): readonly string[] {
  return [...after]
    .filter(
      ([series, value]) =>
        series.startsWith("ip_masq_agent_rule_drift_detected_total") && value > (before.get(series) ?? 0),
    )
    .map(([series]) => /kind="(\w+)"/.exec(series)?.[1] ?? "")
    .toSorted();
}
