import { execFile } from "node:child_process";
import { readdir, readlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { families } from "@ip-masq-agent/core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createLab, type Lab } from "./lab.ts";
import { runChecked } from "./namespace.ts";
import { toolchains } from "./toolchain.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const destinations = {
  IPv4: ["8.8.8.8", "10.244.1.11", "169.254.1.1", "192.0.2.3", "203.0.113.255", "240.0.0.1"],
  IPv6: ["2001:4860::1", "fd00:10:244:1::11", "64:ff9b::808:808", "2001:db8:2::3"],
};

describe.each(families)("%s", (family) => {
  const packets = (["udp", "tcp"] as const).flatMap((protocol) =>
    destinations[family].map((destination) => ({ family, destination, protocol })),
  );
  const sources = async () => (await lab.send(packets)).map((arrival) => arrival?.source);
  const all = (source: string) => packets.map(() => source);

  test("without rules packets arrive with the pod's address", async () => {
    expect(await sources()).toEqual(all(lab.pod[family]));
  });

  test("every packet is a flow of its own", async () => {
    const same = { family, destination: destinations[family][0] ?? "" };
    const ports = (await lab.send(Array.from({ length: 300 }, () => same))).map((arrival) => arrival?.sourcePort);
    expect(new Set(ports).size).toBe(300);
  });

  describe.each(toolchains())("with the tools of $name", ({ prefix }) => {
    const tables = family === "IPv4" ? "iptables" : "ip6tables";
    beforeEach(() => runChecked(lab.spaces.node, ["nft", "flush", "ruleset"]));

    test.each(["legacy", "nft"])("iptables-%s masquerades", async (variant) => {
      const change = (verb: string) =>
        runChecked(lab.spaces.node, [
          ...prefix,
          ...`${tables}-${variant} -t nat ${verb} POSTROUTING -j MASQUERADE`.split(" "),
        ]);
      await change("-A");
      expect(await sources()).toEqual(all(lab.node[family]));
      await change("-D");
      expect(await sources()).toEqual(all(lab.pod[family]));
    });

    test("nft masquerades all but what it exempts", async () => {
      const [exempt] = destinations[family];
      const protocol = family === "IPv4" ? "ip" : "ip6";
      await runChecked(
        lab.spaces.node,
        [...prefix, "nft", "-f", "-"],
        `table ${protocol} t { chain c { type nat hook postrouting priority 100;
           ${protocol} daddr != ${exempt} masquerade; }; }`,
      );
      expect(await sources()).toEqual(
        packets.map(({ destination }) => (destination === exempt ? lab.pod[family] : lab.node[family])),
      );
    });
  });

  test("a packet that is dropped did not arrive", async () => {
    await runChecked(
      lab.spaces.node,
      ["nft", "-f", "-"],
      `flush ruleset; table inet t { chain c { type filter hook forward priority 0; policy drop; }; }`,
    );
    expect(await lab.send(packets.slice(0, 1))).toEqual([undefined]);
    await runChecked(lab.spaces.node, ["nft", "flush", "ruleset"]);
  });
});

test.each([
  ["IPv4", "127.0.0.1", "loopback"],
  ["IPv4", "2001:db8::1", "not an IPv4 address"],
  ["IPv6", "fe80::1", "link-local"],
] as const)("refuses to send an %s packet to %s", async (family, destination, reason) => {
  await expect(lab.send([{ family, destination }])).rejects.toThrow(reason);
});

test("the xtables lock is not the machine's", async () => {
  expect((await lab.run(["ls", "-A", "/run"])).stdout).toBe("xtables.lock\n");
});

test("a command that cannot be found has an exit code", async () => {
  expect(await lab.run(["no-such-program"])).toMatchObject({ exitCode: 127 });
});

describe("nothing is left", () => {
  test("after dispose", async () => {
    const other = await createLab();
    const namespaces = await Promise.all(Object.values(other.spaces).map(({ pid }) => readlink(`/proc/${pid}/ns/net`)));
    await other.send([{ family: "IPv4", destination: "8.8.8.8" }]);
    expect(await holdersOf(namespaces)).toHaveLength(5);
    await other[Symbol.asyncDispose]();
    expect(await holdersOf(namespaces)).toEqual([]);
  });

  test("after SIGKILL of the process that made it", async () => {
    const script = `
      import { readlinkSync } from "node:fs";
      const { createLab } = await import(${JSON.stringify(fileURLToPath(new URL("index.ts", import.meta.url)))});
      const lab = await createLab();
      await lab.send([{ family: "IPv4", destination: "8.8.8.8" }]);
      const namespaces = Object.values(lab.spaces).map(({ pid }) => readlinkSync("/proc/" + pid + "/ns/net"));
      process.stdout.write(JSON.stringify(namespaces), () => process.kill(process.pid, "SIGKILL"));`;
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    const killed: unknown = await run.catch((error: unknown) => error);
    expect(killed).toMatchObject({ signal: "SIGKILL" });
    const { stdout } = killed as { readonly stdout: string };
    const namespaces = JSON.parse(stdout) as string[];
    expect(namespaces).toHaveLength(3);
    await expect.poll(() => holdersOf(namespaces), { timeout: 5_000 }).toEqual([]);
  });
});

/** The processes that are in one of these network namespaces. */
async function holdersOf(namespaces: readonly string[]): Promise<readonly string[]> {
  const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const inside = await Promise.all(
    // A process that ended meanwhile is in none.
    processes.map(async (pid) => namespaces.includes(await readlink(`/proc/${pid}/ns/net`).catch(() => ""))),
  );
  return processes.filter((_, index) => inside[index]);
}
