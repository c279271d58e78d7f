import { describe, expect, test } from "vitest";
import { diagnose } from "./foreign-iptables.ts";
import { diagnoseTable } from "./foreign-nft.ts";

describe("rules of iptables that leave a few packets only, and those that seem to", () => {
  test.each([
    ["-o docker0 -j MASQUERADE", "info"],
    ["-o eth0 -j MASQUERADE", "warning"],
    ["-o br-ex -j MASQUERADE", "warning"],
    ["-o flannel.1 -j MASQUERADE", "warning"],
    ["-d 10.1.1.1/32 -j MASQUERADE", "info"],
    ["-d 10.0.0.0/8 -j MASQUERADE", "warning"],
    ["! -d 10.1.1.1/32 -j MASQUERADE", "warning"],
    ["-s 10.244.1.5/32 -j MASQUERADE", "warning"],
    ["-s 127.0.0.0/8 -j MASQUERADE", "info"],
    ["-p tcp -j MASQUERADE", "warning"],
    ["! -p tcp -j MASQUERADE", "warning"],
    ["-p udp -m udp --dport 53 -j MASQUERADE", "info"],
    ["-p udp -m udp ! --dport 53 -j MASQUERADE", "warning"],
    ["-m mark --mark 0x4000/0x4000 -j MASQUERADE", "info"],
    ["-m mark ! --mark 0x4000/0x4000 -j MASQUERADE", "warning"],
    ["-m mark --mark 0x0/0x4000 -j MASQUERADE", "warning"],
    ["-m conntrack --ctstate DNAT -j MASQUERADE", "info"],
    ["-m addrtype --src-type LOCAL -j SNAT --to-source 192.0.2.2", "info"],
    ["-m addrtype ! --dst-type LOCAL -j MASQUERADE", "warning"],
    ['-m comment --comment "not -m mark --mark 0x1 , nor -d 10.1.1.1/32 " -j MASQUERADE', "warning"],
    ["-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "info"],
    ["-s 172.18.0.0/16 ! -o br-0123456789ab -j MASQUERADE", "info"],
    ["! -o docker0 -j MASQUERADE", "warning"],
  ])("%s: %s", (rule, level) => {
    const found = diagnose(`*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING ${rule}\nCOMMIT\n`, "iptables-nft", "OURS");
    expect(found.map((one) => one.level)).toEqual([level]);
  });
});

describe("the same in nft's words", () => {
  test.each([
    ['oifname "docker0" masquerade', "info"],
    ['oifname "eth0" masquerade', "warning"],
    ["ip daddr 10.1.1.1 masquerade", "info"],
    ["ip daddr 10.0.0.0/8 masquerade", "warning"],
    ["ip daddr 10.0.0.1-10.0.0.9 masquerade", "warning"],
    ["ip6 daddr fd00::1 masquerade", "info"],
    ["ip6 daddr fd00::/8 masquerade", "warning"],
    ["ip daddr @exempt masquerade", "warning"],
    ["meta l4proto tcp masquerade", "warning"],
    ["meta mark 0x00004000 masquerade", "info"],
    ["meta mark & 0x00004000 == 0x00004000 masquerade", "info"],
    ["meta mark & 0x00004000 != 0x00000000 masquerade", "info"],
    ["meta mark and 0x00004000 != 0x00004000 masquerade", "warning"],
    ["meta mark 0x00000000 masquerade", "warning"],
    ["meta mark != 0x00004000 masquerade", "warning"],
    ["udp dport != 53 masquerade", "warning"],
    ["ct status dnat masquerade", "info"],
    ["fib saddr type local masquerade", "info"],
    ["fib daddr type != local masquerade", "warning"],
    ['oifname != "docker0" ip saddr 172.17.0.0/16 masquerade', "info"],
    ['counter packets 0 bytes 0 xt target "MASQUERADE"', "warning"],
  ])("%s: %s", (rule, level) => {
    const hook = "type nat hook postrouting priority 90; policy accept;";
    const found = diagnoseTable(`table inet x {\n\tchain c {\n\t\t${hook}\n\t\t${rule}\n\t}\n}\n`, "inet x");
    expect(found.map((one) => one.level)).toEqual([level]);
    if (level === "warning") expect(found[0]?.why).toContain("its priority (90)");
  });

  test.each([["ip saddr vmap { 10.0.0.0/8 : jump d, 11.0.0.0/8 : goto e }"], ["ip saddr vmap @chains"]])(
    "%s leads to chains",
    (rule) => {
      const chain = (name: string, ...lines: readonly string[]) =>
        `\tchain ${name} {\n${lines.map((line) => `\t\t${line}\n`).join("")}\t}\n`;
      const hook = "type nat hook postrouting priority srcnat; policy accept;";
      const listing = `table ip x {\n${chain("c", hook, rule)}${chain("d", "masquerade")}${chain("e", "snat to 192.0.2.2")}}\n`;
      expect(diagnoseTable(listing, "ip x").map(({ what }) => what)).toEqual([
        "nft table ip x, chain d: masquerade",
        "nft table ip x, chain e: snat to 192.0.2.2",
      ]);
      expect(diagnoseTable(listing, "ip x", (name) => name === "d")).toHaveLength(1);
    },
  );
});
