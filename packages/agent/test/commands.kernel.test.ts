import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { agentFile, toolchains } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Explanation } from "../src/explain/explanation.ts";
import type { Preview } from "../src/preview/preview.ts";
import { names } from "./backends.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

const config = "nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n  - 172.16.0.0/12\n  - fd00::/8\nresyncInterval: 10m\n";

let node: NodeUnderTest;
let prefix: readonly string[] = [];
beforeEach(async () => {
  node = await openNode();
  prefix = [];
  await node.write(config);
});
afterEach(() => node[Symbol.asyncDispose]());

/** Runs a command of the bundle on the node. */
function agent(...words: readonly string[]): Promise<CommandResult> {
  const common = [`--config=${node.file}`, "--enable-ipv6", "--metrics-address=127.0.0.1:10266"];
  return node.lab.run([...prefix, process.execPath, agentFile, ...common, ...words]);
}

async function explain(
  ...words: readonly string[]
): Promise<{ code: number; one: Explanation; all: readonly Explanation[] }> {
  const { exitCode, stdout, stderr } = await agent("explain", "-o", "json", ...words);
  const { explanations } = JSON.parse(stdout === "" ? `{"explanations":[]} ${stderr}` : stdout) as {
    explanations: Explanation[];
  };
  const [one] = explanations;
  if (one === undefined) throw new Error(stderr);
  return { code: exitCode, one, all: explanations };
}

/** All rules of the node, whoever's; and the legacy tables, where a look alone would make them. */
async function everything(): Promise<string> {
  const legacy = "cat /proc/net/ip_tables_names; iptables-legacy-save -t nat 2>/dev/null | grep -v '^#'";
  const rules = `${[...prefix, "nft"].join(" ")} -s list ruleset; if [ -s /proc/net/ip_tables_names ]; then ${legacy}; else echo none; fi`;
  return (await node.lab.run(["sh", "-c", rules])).stdout.replaceAll(/\[\d+:\d+\]/g, "");
}

async function startedWith(backend: string, ...flags: readonly string[]): Promise<void> {
  const all = [`--backend=${backend}`, "--enable-ipv6", "--protect-rules=off", ...flags];
  const running = node.startWith(prefix, ...all);
  await running.line(({ msg, family }) => msg.startsWith("rules") && family === "IPv4");
  await running.line(({ msg, family }) => msg.startsWith("rules") && family === "IPv6");
  // What is read from here on is the kernel, and nobody repairs it. Rules stay when an agent ends; its children do not.
  await running[Symbol.asyncDispose]();
}

const combinations = toolchains().flatMap((toolchain) =>
  names.map((backend) => ({ backend, toolchain, label: `${backend}, ${toolchain.name}` })),
);

describe.each(combinations)("with rules of $label", ({ backend, toolchain }) => {
  beforeEach(() => {
    prefix = toolchain.prefix;
  });

  test("explain says what packets do, and changes nothing", async () => {
    await startedWith(backend, "--to-ports=2000-2099");
    const before = await everything();
    for (const [destination, verdict] of [
      ["10.9.8.7", "exempt"],
      ["172.31.255.255", "exempt"],
      ["172.32.0.0", "masqueraded"],
      ["169.254.1.1", "exempt"],
      ["203.0.113.9", "masqueraded"],
      ["fd12::1", "exempt"],
      ["2001:db8:99::1", "masqueraded"],
    ] as const) {
      const { code, one } = await explain(destination, "--to-ports=2000-2099", "--protocol=udp");
      expect({ destination, code, verdict: one.verdict, agrees: one.kernel.agrees }).toEqual({
        ...{ destination, code: 0, verdict, agrees: true },
      });
      const family = destination.includes(":") ? "IPv6" : "IPv4";
      const [arrival] = await node.lab.send([{ family, destination }]);
      if (verdict === "exempt") expect(arrival?.source).toBe(node.lab.pod[family]);
      else {
        // The very address and port that it named.
        expect(one.way).toMatchObject({ address: arrival?.source });
        expect(one.ports).toEqual([{ first: 2000, last: 2099 }]);
        expect(arrival?.sourcePort).toBeGreaterThanOrEqual(2000);
        expect(arrival?.sourcePort).toBeLessThanOrEqual(2099);
      }
    }
    expect(await everything()).toBe(before);
  });

  test("what the kernel does otherwise is shown, with exit code 3", async () => {
    await startedWith(backend);
    await node.write("nonMasqueradeCIDRs: [11.0.0.0/8]\n");
    expect(await explain("11.1.1.1")).toMatchObject({
      code: 3,
      one: {
        verdict: "exempt",
        kernel: { agrees: false, contradictions: [{ wanted: "exempt", kernel: "masqueraded" }] },
      },
    });
    const { code, one } = await explain("10.0.0.0/7");
    expect({ code, verdict: one.verdict }).toEqual({ code: 3, verdict: "mixed" });
    expect(one.kernel.contradictions).toContainEqual(
      expect.objectContaining({ prefixes: ["11.0.0.0/8"], wanted: "exempt" }),
    );
    const text = (await agent("explain", "11.1.1.1")).stdout;
    expect(text).toContain(`${backend}: masqueraded, and should be exempt`);
    expect((await explain("99.1.1.1")).code).toBe(0);
  });

  test("plan: a diff, the ranges that change sides, and a script that is the change itself", async () => {
    await startedWith(backend);
    const flags = [`--backend=${backend}`];
    expect((await agent("plan", ...flags)).exitCode).toBe(0);
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/9, 11.0.0.0/8, fd00::/8]\n");
    const before = await everything();
    const { exitCode, stdout } = await agent("plan", ...flags, "-o", "json");
    expect(exitCode).toBe(3);
    const preview = JSON.parse(stdout) as Preview;
    const [ipv4, ipv6] = preview.families;
    expect(ipv4?.ranges).toEqual({
      becomeMasqueraded: ["10.128.0.0/9", "172.16.0.0/12"],
      becomeExempt: ["11.0.0.0/8"],
      unknown: [],
    });
    expect(ipv6).toMatchObject({ transaction: "", ranges: { becomeMasqueraded: [], becomeExempt: [] } });
    const text = (await agent("plan", ...flags)).stdout;
    for (const part of ["become masqueraded  10.128.0.0/9", "become exempt  11.0.0.0/8"]) expect(text).toContain(part);
    const script = await agent("plan", ...flags, "--script");
    expect(await everything()).toBe(before);
    const [, command = ""] = /^# IPv4: (.*)$/m.exec(script.stdout) ?? [];
    const run = await node.lab.run([...prefix, ...command.split(" ")], script.stdout);
    expect(run).toMatchObject({ exitCode: 0 });
    expect((await agent("plan", ...flags)).exitCode).toBe(0);
    const [now] = await node.lab.send([{ family: "IPv4", destination: "11.1.1.1" }]);
    expect(now?.source).toBe(node.lab.pod.IPv4);
  });

  test("plan says what a change of backend removes", async () => {
    await startedWith(backend);
    const other = backend === "nftables" ? "iptables-nft" : "nftables";
    const { exitCode, stdout } = await agent("plan", `--backend=${other}`);
    expect(exitCode).toBe(3);
    expect(stdout).toContain(`- all rules of ${backend}, once these are in force`);
  });

  test("cleanup --dry-run lists what cleanup then removes, and changes nothing", async () => {
    await startedWith(backend);
    const before = await everything();
    const planned = await agent("cleanup", "--dry-run");
    expect({ code: planned.exitCode, rules: await everything() }).toEqual({ code: 3, rules: before });
    expect(planned.stdout).toMatch(new RegExp(`^would remove\\n(?: {2}${backend} +IPv[46] +.*\\n)+$`));
    for (const family of ["IPv4", "IPv6"]) expect(planned.stdout).toContain(family);
    const { removals } = JSON.parse((await agent("cleanup", "--dry-run", "-o", "json")).stdout) as {
      removals: { backend: string; wouldRemove: string[] }[];
    };
    expect(removals).toHaveLength(6);
    for (const one of removals) expect(one.wouldRemove.length > 0).toBe(one.backend === backend);
    const { stdout } = await agent("cleanup");
    expect(stdout).toBe(planned.stdout.replace("would remove", "removed"));
  });

  test("cleanup removes all of ours and says so, with a broken config too; and nothing else", async () => {
    await node.must("nft", "add table ip foreign { chain c { type nat hook postrouting priority 90; masquerade; }; }");
    const before = await everything();
    await startedWith(backend);
    await node.write("nonMasqueradeCIDRs: [nonsense");
    const { exitCode, stdout } = await agent("cleanup");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^removed\\n(?: {2}${backend} +IPv[46] +.*\\n)+$`));
    expect((await everything()).replaceAll(/table ip6? nat \{[\s\S]*?\n\}\n/g, "")).toContain(
      before.split("none")[0]?.trim() ?? "",
    );
    expect(await agent("cleanup")).toMatchObject({ exitCode: 0, stdout: "nothing of ours was there\n" });
    expect(await agent("cleanup", "--dry-run")).toMatchObject({ exitCode: 0, stdout: "nothing of ours is there\n" });
    expect((await node.lab.run(["sh", "-c", "nft list ruleset | grep -ci masq-agent"])).stdout.trim()).toBe("0");
  });
});

describe("explain", () => {
  test("names the entry and its line, the longest prefix first; and takes names from a hosts file", async () => {
    await node.write("nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n  - 10.1.0.0/16\n");
    await startedWith("nftables");
    const hosts = join(node.directory, "hosts");
    await writeFile(hosts, "# comment\n10.1.2.3 db db.internal # tail\nfd00::7\tDB.internal\n");
    const { all } = await explain("db.Internal", `--hosts-file=${hosts}`);
    expect(all.map(({ destination, verdict }) => [destination, verdict])).toEqual([
      ["10.1.2.3", "exempt"],
      ["fd00::7", "masqueraded"],
    ]);
    expect(all[0]?.parts[0]?.entries).toEqual([
      { prefix: "10.1.0.0/16", from: `${node.file}:3` },
      { prefix: "10.0.0.0/8", from: `${node.file}:2` },
    ]);
  });

  test("the node's own addresses are local, whatever the config says; a range around them falls into parts", async () => {
    await startedWith("nftables");
    for (const own of [node.lab.node.IPv4, "127.0.0.1", node.lab.node.IPv6, "::1"]) {
      expect((await explain(own)).one).toMatchObject({ verdict: "local", kernel: { agrees: true } });
    }
    const { one } = await explain(`${node.lab.node.IPv4.replace(/\d+$/, "0")}/24`);
    expect(one.parts.map(({ verdict }) => verdict)).toEqual(["local", "masqueraded"]);
  });

  test("a rule in our chain that is none of ours: what it does cannot be told, and that is an error", async () => {
    await startedWith("nftables");
    await node.must("nft", "insert rule ip ip-masq-agent postrouting tcp dport 80 accept");
    const { code, one } = await explain("10.1.1.1");
    expect({ code, agrees: one.kernel.agrees }).toEqual({ code: 1, agrees: undefined });
    expect(one.kernel.unreadable[0]).toContain("nftables: has rules that are not of the form we write");
  });

  test("no rules at all: what should be masqueraded is not, and that is a difference", async () => {
    expect(await explain("8.8.8.8")).toMatchObject({ code: 3, one: { kernel: { backends: [], agrees: false } } });
    expect(await explain("10.8.8.8")).toMatchObject({ code: 0 });
  });

  test.each([
    ["an invalid config is exit code 1", ["10.0.0.1", "--enable-ipv6=false"], 1, "is not valid"],
    ["a name that is not there is refused", ["no-such-name"], 2, "is not in /etc/hosts"],
    ["what is no address either", ["10.0.0"], 2, "is no address, CIDR or name"],
    ["a misaligned CIDR", ["10.1.0.0/8"], 2, "is not aligned"],
    ["a sender of the other family", ["10.0.0.1", "--from=fd00::1"], 2, "of another family"],
  ])("%s", async (_, words, code, message) => {
    const { exitCode, stderr } = await agent("explain", ...words);
    expect({ exitCode, stderr }).toEqual({ exitCode: code, stderr: expect.stringContaining(message) });
  });
});

describe("status and the pages behind it", () => {
  test("tells backend, config, syncs and drift; for the node alone", async () => {
    const running = node.start(
      "--backend=nftables",
      "--enable-ipv6",
      "--to-ports=2000-2099",
      "--metrics-address=:10266",
    );
    await running.line(({ msg, family }) => msg.startsWith("rules") && family === "IPv4");
    await node.must("nft", "flush", "ruleset");
    await running.line(({ msg }) => msg === "drift repaired");
    const { exitCode, stdout } = await agent("status");
    expect(exitCode).toBe(0);
    for (const part of [
      "rules      in force",
      "backend    nftables",
      node.file,
      "1 table",
      "repaired after",
      "by nft (pid",
      "new connections since the rules were written: 0 masqueraded, 0 exempt\n",
    ]) {
      expect(stdout).toContain(part);
    }
    const flags = await node.get("/flagz");
    expect(flags.body).toContain("\nto-ports=2000-2099\n");
    expect(JSON.parse((await node.get("/configz", { accept: "application/json" })).body)).toMatchObject({
      kind: "Configz",
      config: { nonMasqueradeCIDRs: ["10.0.0.0/8", "172.16.0.0/12", "fd00::/8"], resyncInterval: "10m0s" },
    });
    const script = "const r = await fetch(process.argv[1]); console.log(r.status)";
    for (const path of ["/statusz", "/configz", "/flagz", "/metrics"]) {
      const url = `http://${node.lab.node.IPv4}:10266${path}`;
      const from = await node.lab.spaces.outside.run([process.execPath, "--input-type=module", "-e", script, url]);
      expect(`${path} ${from.stdout.trim()}`).toBe(`${path} ${path === "/metrics" ? 200 : 403}`);
    }
  });

  test("an agent that has no valid config is exit code 3, and no agent is 1", async () => {
    expect(await agent("status")).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no agent answers") });
    await node.write("nonMasqueradeCIDRs: [nonsense]\n");
    const running = node.start("--backend=nftables");
    await running.line(({ msg }) => msg.startsWith("no valid config"));
    const { exitCode, stdout } = await agent("status");
    expect(exitCode).toBe(3);
    expect(stdout).toContain("not in force: ");
    expect(stdout).toContain("refused");
  });
});
