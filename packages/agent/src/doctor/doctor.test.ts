import { describe, expect, test } from "vitest";
import { conntrack, sumColumn } from "./conntrack.ts";
import { note } from "./diagnosis.ts";
import { examine } from "./examination.ts";
import { diagnose } from "./foreign-iptables.ts";
import { diagnoseTable } from "./foreign-nft.ts";
import { forwarding } from "./forwarding.ts";
import { kernelOf } from "./kernel.ts";
import { nodeOf } from "./made-up-node.ts";
import { podRanges } from "./pod-ranges.ts";
import { privileges } from "./privileges.ts";

const saved = (...rules: readonly string[]) =>
  `*nat\n:POSTROUTING ACCEPT [0:0]\n${rules.map((rule) => `-A ${rule}`).join("\n")}\nCOMMIT\n`;
const ourJump = 'POSTROUTING -m addrtype ! --dst-type LOCAL -m comment --comment "ip-masq-agent: x" -j IP-MASQ-AGENT';

describe("rules of others in iptables", () => {
  test.each([
    ["masquerade of a range", "POSTROUTING -s 10.244.0.0/16 ! -o cni0 -j MASQUERADE", "warning", "iptables"],
    [
      "the kubelet's",
      'POSTROUTING ! -d 10.0.0.0/8 -m comment --comment "kubelet: SNAT for outbound traffic from cluster" -m addrtype ! --dst-type LOCAL -j MASQUERADE',
      "warning",
      "--non-masquerade-cidr",
    ],
    [
      "flannel's",
      "POSTROUTING -j FLANNEL-POSTRTG\n-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE",
      "warning",
      "flannel",
    ],
    [
      "GKE's script's",
      "POSTROUTING -j IP-MASQ\n-A IP-MASQ -d 10.0.0.0/8 -j RETURN\n-A IP-MASQ -j MASQUERADE",
      "warning",
      "GKE",
    ],
    ["SNAT", "POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 1.2.3.4", "warning", "SNAT"],
    ["a mark's", "POSTROUTING -m mark --mark 0x2000/0x2000 -j MASQUERADE", "info", "for some packets only"],
    [
      "a hostport's",
      "POSTROUTING -s 127.0.0.1/32 -d 10.1.1.1/32 -p tcp -j MASQUERADE",
      "info",
      "for some packets only",
    ],
    ["ACCEPT before our jump", `POSTROUTING -s 10.0.0.0/8 -j ACCEPT\n-A ${ourJump}`, "warning", "ACCEPT"],
  ])("%s: %s", (_, rules, level, words) => {
    const [found, ...more] = diagnose(saved(rules), "iptables-nft", "IP-MASQ-AGENT");
    expect(more).toEqual([]);
    expect(found?.level).toBe(level);
    expect(found?.what).toContain(words === "iptables" ? "iptables-nft: POSTROUTING" : "");
    expect(JSON.stringify(found)).toContain(words);
  });

  test.each([
    ["kube-proxy's", "POSTROUTING -j KUBE-POSTROUTING\n-A KUBE-POSTROUTING -j MASQUERADE --random-fully"],
    ["our own", `${ourJump}\n-A IP-MASQ-AGENT -d 10.0.0.0/8 -j RETURN\n-A IP-MASQ-AGENT -j MASQUERADE`],
    ["those that nothing leads to", "OTHER -j MASQUERADE"],
    ["ACCEPT behind our jump", `${ourJump}\n-A POSTROUTING -j ACCEPT`],
    ["RETURN", "POSTROUTING -d 10.0.0.0/8 -j RETURN"],
    ["the words in a comment", 'POSTROUTING -m comment --comment "no -j MASQUERADE here" -j RETURN'],
    ["a circle of chains", "POSTROUTING -j A\n-A A -j B\n-A B -j A"],
  ])("%s do not count", (_, rules) => {
    expect(diagnose(saved(rules), "iptables-nft", "IP-MASQ-AGENT")).toEqual([]);
  });
});

describe("tables of others in nft", () => {
  const table = (rule: string, hook = "type nat hook postrouting priority srcnat; policy accept;") =>
    `table inet x {\n\tchain c {\n\t\t${hook}\n\t\t${rule}\n\t}\n\n\tchain other {\n\t\tmasquerade\n\t}\n}\n`;

  test.each([
    ["ip saddr 10.244.0.0/16 masquerade", ["warning"]],
    ['oifname != "cni0" snat ip to 1.2.3.4', ["warning"]],
    ["meta mark 0x00004000 masquerade", ["info"]],
    ["tcp dport 80 masquerade", ["info"]],
    ["jump other", ["warning"]],
    ["accept", []],
    ['counter comment "masquerade"', []],
  ])("%s: %j", (rule, levels) => {
    expect(diagnoseTable(table(rule), "inet x").map(({ level }) => level)).toEqual(levels);
  });

  test("a chain at another hook does not count", () => {
    expect(diagnoseTable(table("masquerade", "type nat hook output priority 0; policy accept;"), "inet x")).toEqual([]);
  });
});

test("conntrack: fill by the kernel's numbers, insert_failed summed over processors, in hexadecimal", async () => {
  const stat =
    "entries  searched found insert_failed drop\n00000001  00000000 00000000 0000000a 00000000\n00000001  00000000 00000000 00000010 00000000\n";
  expect(sumColumn(stat, "insert_failed")).toBe(26);
  const levels = async (count: string) =>
    (
      await conntrack.look(
        nodeOf({
          "/proc/sys/net/netfilter/nf_conntrack_count": count,
          "/proc/sys/net/netfilter/nf_conntrack_max": "1000\n",
          "/proc/net/stat/nf_conntrack": stat,
        }),
      )
    ).map(({ level, what }) => `${level} ${what}`);
  expect(await levels("100\n")).toEqual([
    "ok 100 of 1000 entries in use (10 %)",
    "warning insert_failed is 26 since boot",
  ]);
  expect((await levels("800\n"))[0]).toMatch(/^warning/);
  expect((await levels("990\n"))[0]).toMatch(/^error/);
  expect((await conntrack.look(nodeOf({})))[0]).toMatchObject({ level: "info" });
});

test("forwarding that is off is an error, with the sysctl", async () => {
  const off = await forwarding.look(nodeOf({ "/proc/sys/net/ipv4/ip_forward": "0\n" }));
  expect(off).toMatchObject([{ level: "error", remedy: expect.stringContaining("net.ipv4.ip_forward=1") }]);
  expect(await forwarding.look(nodeOf({ "/proc/sys/net/ipv4/ip_forward": "1\n" }))).toMatchObject([{ level: "ok" }]);
});

test("privileges: capabilities by their bits, and the lock of a container", async () => {
  const look = async (caps: string, mountinfo: string) =>
    (
      await privileges.look(nodeOf({ "/proc/self/status": `CapEff:\t${caps}\n`, "/proc/self/mountinfo": mountinfo }))
    ).map(({ level, what }) => `${level} ${what}`);
  const container = "22 1 0:1 / / rw - overlay overlay rw";
  const mount = "23 22 8:1 /run/xtables.lock /run/xtables.lock rw - ext4 /dev/sda rw";
  expect(await look("0000000000003000", "1 0 8:1 / / rw - ext4 /dev/sda rw")).toEqual([
    "ok NET_ADMIN and NET_RAW",
    "ok /run/xtables.lock is the node's own",
  ]);
  expect((await look("0000000000002000", container))[0]).toBe("error the capability NET_ADMIN is missing");
  expect((await look("0000000000003000", container))[1]).toMatch(/^warning .* not mounted/);
  expect((await look("0000000000003000", `${container}\n${mount}`))[1]).toMatch(/^ok/);
});

test("pod ranges: from CNI's config, flannel's file and known bridges, each once", async () => {
  const addresses = JSON.stringify([
    {
      ifname: "cni0",
      addr_info: [
        { local: "10.244.1.1", prefixlen: 24, scope: "global" },
        { local: "fe80::1", prefixlen: 64, scope: "link" },
      ],
    },
    { ifname: "eth0", addr_info: [{ local: "192.0.2.2", prefixlen: 24, scope: "global" }] },
  ]);
  const files = {
    "/etc/cni/net.d/10-bridge.conflist":
      '{"plugins":[{"ipam":{"ranges":[[{"subnet":"10.244.1.0/24"}],[{"subnet": "fd00:1::/64"}]]}}]}',
    "/run/flannel/subnet.env": "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n",
  };
  const found = await podRanges(nodeOf(files, { ask: async () => ({ stdout: addresses }) }));
  expect(found.map(({ range, source }) => `${range.length} ${source}`)).toEqual([
    "24 /etc/cni/net.d/10-bridge.conflist",
    "64 /etc/cni/net.d/10-bridge.conflist",
    "16 /run/flannel/subnet.env",
  ]);
});

test("an old kernel is a warning", () => {
  expect(kernelOf("5.4.0-100-generic").level).toBe("warning");
  expect(kernelOf("5.10.1")).toEqual(note("ok", "kernel", "5.10.1; protected tables take 6.9"));
  expect(kernelOf("6.18.0").what).toBe("6.18.0");
});

test("a check that fails spoils no other", async () => {
  const broken = { name: "broken", look: () => Promise.reject(new Error("no")) };
  const fine = { name: "fine", look: async () => [note("ok", "fine", "yes")] };
  expect(await examine(nodeOf({}), [broken, fine])).toEqual([
    note("info", "broken", "could not be checked: no"),
    note("ok", "fine", "yes"),
  ]);
});
