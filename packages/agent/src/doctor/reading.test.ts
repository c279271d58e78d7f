import { BackendError, formatPrefix } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { createBackend } from "../backends.ts";
import { textOf } from "../output.ts";
import { paintFor } from "../text/colour.ts";
import { agents } from "./agents.ts";
import { conntrack } from "./conntrack.ts";
import { note } from "./diagnosis.ts";
import { foreignIptables } from "./foreign-iptables.ts";
import { foreignNft } from "./foreign-nft.ts";
import { nodeOf } from "./made-up-node.ts";
import { podRanges } from "./pod-ranges.ts";
import { privileges } from "./privileges.ts";
import { doctorText } from "./text.ts";

describe("what cannot be read is told as that", () => {
  test("privileges and lock, without /proc", async () => {
    const found = await privileges.look(nodeOf({}));
    expect(found.map(({ level, what }) => `${level} ${what}`)).toEqual([
      "info /proc/self/status cannot be read",
      "info /proc/self/mountinfo cannot be read",
    ]);
  });

  test("conntrack's failures; and a limit of 0, which is none", async () => {
    const found = await conntrack.look(
      nodeOf({
        "/proc/sys/net/netfilter/nf_conntrack_count": "7\n",
        "/proc/sys/net/netfilter/nf_conntrack_max": "0\n",
      }),
    );
    expect(found).toEqual([
      note("ok", "conntrack", "7 entries in use, of any number"),
      note("info", "conntrack", "insert_failed cannot be read"),
    ]);
  });

  test("a backend that cannot be looked at has no rules of ours for that", async () => {
    const backend = await createBackend("iptables-nft", { chain: "OURS" });
    const message = "the tool is wrong";
    const error = new BackendError({ reason: "other", backend: backend.name, operation: "observe", message });
    const found = await agents.look(nodeOf({}, { sightings: async () => [{ backend, family: "IPv4", error }] }));
    expect(found.map(({ what }) => what).slice(1)).toEqual([
      "IPv4: iptables-nft cannot be looked at: the tool is wrong",
      "IPv4: none of ours yet",
    ]);
  });
});

test("a container is known by its mounts, and a /run of its own is not taken for the host's", async () => {
  const root = "22 1 0:1 / / rw - btrfs /dev/sda rw";
  const files = ["/etc/hosts", "/etc/resolv.conf"].map((file) => `23 22 8:1 /x ${file} rw - ext4 /dev/sda rw`);
  const lock = async (...mounts: readonly string[]) =>
    (await privileges.look(nodeOf({ "/proc/self/mountinfo": [root, ...mounts].join("\n") }))).at(-1)?.level;
  expect(await lock()).toBe("ok");
  expect(await lock(...files)).toBe("warning");
  expect(await lock(...files, "24 22 0:9 / /run rw - tmpfs tmpfs rw")).toBe("info");
  expect(await lock(...files, "24 22 0:9 /xtables.lock /run/xtables.lock rw - tmpfs tmpfs rw")).toBe("ok");
});

test("who has NET_ADMIN and is not root is told about the lock", async () => {
  const status = "Uid:\t0\t1000\t0\t0\nCapEff:\t0000000000003000\n";
  expect(await privileges.look(nodeOf({ "/proc/self/status": status }))).toMatchObject([
    { level: "ok" },
    { level: "info", what: expect.stringContaining("runs as user 1000") },
    {},
  ]);
});

test("the tool without the variant in its name is asked where it is of this variant", async () => {
  const legacy = { "/proc/net/ip_tables_names": "filter\nnat\n" };
  const asked: string[] = [];
  const ask = async (tool: string, words: readonly string[]) => {
    asked.push(`${tool} ${words.join(" ")}`);
    if (tool !== "iptables-save") return { failure: `${tool} is not in PATH` };
    if (words.includes("--version")) return { stdout: "iptables-save v1.6.1" };
    return { stdout: "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n" };
  };
  const found = await foreignIptables.look(nodeOf(legacy, { ask }));
  expect(found.map(({ level, what }) => `${level} ${what}`)).toEqual([
    "info iptables-nft's are not known: iptables-nft-save is not in PATH",
    "warning iptables-legacy: POSTROUTING -j MASQUERADE",
  ]);
  expect(asked.filter((words) => words === "iptables-save -t nat")).toHaveLength(1);
});

test("no tool of legacy is run where the kernel lists no such table", async () => {
  const asked: string[] = [];
  const ask = async (tool: string) => {
    asked.push(tool);
    return { stdout: "" };
  };
  await foreignIptables.look(nodeOf({ "/proc/net/ip_tables_names": "filter\n" }, { ask }));
  expect(asked).toEqual(["iptables-nft-save"]);
});

test("tables of IPv6 alone do not count while it is off", async () => {
  const ask = async (_: string, words: readonly string[]) =>
    words.includes("tables")
      ? { stdout: "table ip6 x" }
      : { stdout: "table ip6 x {\n\tchain c {\n\t\ttype nat hook postrouting priority 0;\n\t\tmasquerade\n\t}\n}\n" };
  expect((await foreignNft.look(nodeOf({}, { ask })))[0]?.level).toBe("ok");
  expect((await foreignNft.look(nodeOf({}, { ask, families: ["IPv4", "IPv6"] })))[0]?.level).toBe("warning");
});

test("pod ranges from routes: neighbours as one, and what is known already not again", async () => {
  const routes = [
    { dst: "default", dev: "eth0" },
    { dst: "192.0.2.0/24", dev: "eth0" },
    { dst: "10.244.0.0/24", dev: "flannel.1" },
    { dst: "10.244.1.0/24", dev: "flannel.1" },
    { dst: "10.9.3.0/24", dev: "cni0" },
    { type: "blackhole", dst: "10.11.0.0/26", protocol: "80" },
    { type: "blackhole", dst: "10.12.0.0/26", protocol: "static" },
  ];
  const ask = async (_: string, words: readonly string[]) => ({
    stdout: words.includes("route") ? JSON.stringify(routes) : "not JSON",
  });
  const files = { "/etc/cni/net.d/10.conf": '{"subnet": "10.9.0.0/16"}' };
  const found = await podRanges(nodeOf(files, { ask }));
  expect(found.map(({ range, source }) => `${formatPrefix(range)} ${source}`)).toEqual([
    "10.9.0.0/16 /etc/cni/net.d/10.conf",
    "10.11.0.0/26 routes to pods",
    "10.244.0.0/23 routes to pods",
  ]);
});

test("what others wrote reaches a terminal escaped", () => {
  const text = textOf(doctorText([note("info", "foreign rules", "\u001b[31mred")], paintFor(false)));
  expect(text).toContain("\\u001b[31mred");
  expect(text).not.toContain("\u001b");
});
