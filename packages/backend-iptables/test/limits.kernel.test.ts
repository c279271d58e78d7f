import { type DriftKind, type Family, type FamilyPolicy, families } from "@ip-masq-agent/core";
import { createLab, type Lab } from "@ip-masq-agent/lab";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sightVariant } from "../src/index.ts";
import { everyTools, nodeOf, planFor, write } from "./node.ts";
import { policy } from "./policy.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const never = new AbortController().signal;
const few = policy("IPv4", ["10.0.0.0/8"]);
const legacyTools = everyTools.filter(({ variant }) => variant === "legacy");

/** As many /24 or /64 that do not touch. */
function many(family: Family, count: number): FamilyPolicy {
  const text = (index: number) =>
    family === "IPv4"
      ? `${20 + (index >> 15)}.${(index >> 7) & 255}.${(index & 127) * 2}.0/24`
      : `2001:db8:${(index >> 8).toString(16)}:${((index & 255) * 2).toString(16)}::/64`;
  return policy(
    family,
    Array.from({ length: count }, (_, index) => text(index)),
  );
}

/** Before any other test: the lab is fresh, and no legacy table of its is in use yet. */
test.each(legacyTools)("$name: looking and cleaning up bring no legacy table into use", async (tools) => {
  const node = nodeOf(lab, tools);
  expect(await sightVariant("legacy", { launcher: lab.launcher }, never)).toMatchObject({ inUse: false });
  for (const family of families) expect(await node.backend().cleanup(family, never)).toEqual([]);
  const { stdout } = await lab.run(["sh", "-c", "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names"]);
  expect(stdout).toBe("");
});

describe.each(everyTools)("$name", (tools) => {
  afterEach(() => nodeOf(lab, tools).empty());

  test.each([
    ["IPv4", 1_000],
    ["IPv6", 1_000],
    ["IPv4", 10_000],
    ["IPv6", 10_000],
  ] as const)("%s: %d prefixes are written, read back and changed in good time", async (family, count) => {
    const backend = nodeOf(lab, tools).backend();
    const desired = many(family, count);
    const started = performance.now();
    await write(backend, desired);
    const written = performance.now();
    expect((await planFor(backend, desired)).transaction).toBe("");
    const read = performance.now();
    process.stderr.write(
      `${tools.name}, ${family}, ${count} prefixes: written in ${Math.round(written - started)} ms, compared in ${Math.round(read - written)} ms\n`,
    );
    expect(read - started).toBeLessThan(10_000);
    const less = { ...desired, exempt: { family, prefixes: desired.exempt.prefixes.slice(1) } };
    const change = await write(backend, less);
    expect(change.transaction.match(/^:/gm)?.length).toBeLessThanOrEqual(5);
    expect(await backend.observe(family, never)).toMatchObject({ policy: less });
  });

  test.each<readonly [string, string, readonly DriftKind[]]>([
    ["flushed", "-F IPMASQ-14000000-12", ["missing", "missing", "missing"]],
    ["opened to all", "-I IPMASQ-14000000-12 -j ACCEPT", ["extra"]],
    ["entered from outside", "-A POSTROUTING -p udp -j IPMASQ-TRANSLATE", ["jump"]],
    ["led past its end", "-D IP-MASQ-AGENT -d 20.0.0.0/12 -g IPMASQ-14000000-12", ["missing"]],
  ])("a chain of the tree is %s", async (_, line, kinds) => {
    const node = nodeOf(lab, tools);
    const backend = node.backend();
    const desired = policy(
      "IPv4",
      Array.from({ length: 100 }, (_, index) => `20.${index}.0.0/17`),
    );
    await write(backend, desired);
    await node.iptables("IPv4", line);
    const { differences } = await write(backend, desired);
    expect(differences.map(({ kind }) => kind)).toEqual(kinds);
    expect(await backend.observe("IPv4", never)).toMatchObject({ policy: desired });
  });

  test("addresses that the C library prints with a dotted tail", async () => {
    const backend = nodeOf(lab, tools).backend();
    const dotted = policy("IPv6", ["::102:300/120", "::ffff:a00:0/112", "::1", "fd00::/8"]);
    await write(backend, dotted);
    expect((await planFor(backend, dotted)).transaction).toBe("");
  });

  test("without the capability it is a matter of permission", async () => {
    const node = nodeOf(lab, tools);
    const dropped = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    const backend = node.backend({ launcher: [...lab.launcher, ...dropped, ...tools.prefix] });
    const expected = { reason: "permission", message: /run as root with NET_ADMIN/ };
    await expect(backend.observe("IPv4", never)).rejects.toMatchObject(expected);
  });

  test("a lock held by another is waited for, and told", async () => {
    const backend = nodeOf(lab, tools).backend({ lockWaitSeconds: 1 });
    const plan = await planFor(backend, few);
    await using _lock = await holdLock();
    const applied = backend.apply(plan, never);
    // nf_tables needs no lock: its transactions are the kernel's.
    if (tools.variant === "nft") return applied;
    await expect(applied).rejects.toMatchObject({ reason: "lock", message: /within 1 s/ });
    expect(await backend.observe("IPv4", never)).toMatchObject({ present: false });
  });
});

test.each(legacyTools)("$name: a lock released in time is no failure", async (tools) => {
  const backend = nodeOf(lab, tools).backend({ lockWaitSeconds: 5 });
  const lock = await holdLock();
  const applied = write(backend, few);
  setTimeout(() => void lock[Symbol.asyncDispose](), 500);
  await applied;
  expect(await backend.observe("IPv4", never)).toMatchObject({ policy: few });
  await nodeOf(lab, tools).empty();
});

/** Holds the node's xtables lock, as a long iptables-restore of kube-proxy does. */
async function holdLock(): Promise<AsyncDisposable> {
  const [file = "", ...before] = lab.launcher;
  const holder = execa(
    file,
    [...before, "flock", "--no-fork", "/run/xtables.lock", "sh", "-c", "echo held; exec sleep 60"],
    {
      reject: false,
    },
  );
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  return {
    async [Symbol.asyncDispose]() {
      holder.kill("SIGKILL");
      await holder;
    },
  };
}
