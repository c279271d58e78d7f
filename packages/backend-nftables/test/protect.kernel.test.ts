import { readdirSync, readFileSync } from "node:fs";
import { type Backend, type Family, families } from "@ip-masq-agent/core";
import { createLab, type Lab, toolchains } from "@ip-masq-agent/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createNftablesBackend, type NftablesOptions } from "../src/index.ts";
import { policy } from "./policy.ts";

const limit = () => AbortSignal.timeout(30_000);
const toolchain = toolchains().find(({ name }) => name === "trixie");
if (toolchain === undefined)
  process.stderr.write("protection is not tested: it takes nft 1.1, of Debian trixie's tools\n");

let lab: Lab;
const open: Backend[] = [];
beforeAll(async () => {
  lab = await createLab();
});
afterEach(async () => {
  for (const backend of open.splice(0)) await backend.close?.();
  await nft("flush", "ruleset");
});
afterAll(() => lab[Symbol.asyncDispose]());

/** nft 1.1.3: 1.0.6 crashes on what it wrote. */
const nft = (...words: readonly string[]) => lab.run([...(toolchain?.prefix ?? []), "nft", ...words]);
const write = (input: string) => lab.run([...(toolchain?.prefix ?? []), "nft", "-f", "-"], input);

function backendOf(options: NftablesOptions = {}): Backend {
  const launcher = [...lab.launcher, ...(toolchain?.prefix ?? [])];
  const backend: Backend = createNftablesBackend({ launcher, timeoutMs: 20_000, protect: "on", ...options });
  open.push(backend);
  return backend;
}

/** One pass of the loop: the differences, and what was written. */
async function reconcile(backend: Backend, family: Family, ...cidrs: readonly string[]): Promise<string> {
  const can = await backend.probe(limit());
  const ruleset = backend.render(policy(family, cidrs), can);
  const plan = backend.plan(ruleset, await backend.observe(family, limit()));
  if (plan.transaction !== "") await backend.apply(plan, limit());
  expect(backend.plan(ruleset, await backend.observe(family, limit())).transaction).toBe("");
  return plan.summary;
}

async function flags(): Promise<string> {
  const { stdout } = await nft("--terse", "list", "table", "ip", "ip-masq-agent");
  return /^\tflags (.*)$/m.exec(stdout)?.[1] ?? "";
}

async function source(destination: string, family: Family = "IPv4"): Promise<string | undefined> {
  return (await lab.send([{ family, destination }]))[0]?.source;
}

/** The interactive nft that this test's backends started: a child of this process, or of its children. */
function holderPid(): number {
  const children = (pid: number): readonly number[] =>
    readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
  const found = children(process.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith("\0-i\0"));
  if (found === undefined) throw new Error("no interactive nft is running");
  return found;
}

describe.skipIf(toolchain === undefined)("protected tables, nft 1.1.3", () => {
  test.each([
    ["flush ruleset", "flush ruleset", 0],
    ["delete table", "delete table ip ip-masq-agent", 1],
    ["flush table", "flush table ip ip-masq-agent", 1],
    ["dormant table", "add table ip ip-masq-agent { flags dormant; }", 1],
    ["flush chain", "flush chain ip ip-masq-agent postrouting", 1],
    ["delete chain", "delete chain ip ip-masq-agent postrouting", 1],
    ["foreign rule at head", "insert rule ip ip-masq-agent postrouting accept", 1],
    ["foreign rule at tail", "add rule ip ip-masq-agent postrouting accept", 1],
    ["element deleted", "delete element ip ip-masq-agent exempt { 10.0.0.0/8 }", 1],
    ["element added", "add element ip ip-masq-agent exempt { 11.0.0.0/8 }", 1],
    ["set emptied", "flush set ip ip-masq-agent exempt", 1],
    ["extra chain", "add chain ip ip-masq-agent other", 1],
    ["another owner", "add table ip ip-masq-agent { flags owner, persist; }", 1],
  ])("%s: refused, or without effect", async (_, tampering, code) => {
    const backend = backendOf();
    await reconcile(backend, "IPv4", "10.0.0.0/8");
    const before = await nft("-s", "list", "table", "ip", "ip-masq-agent");
    expect((await write(`${tampering}\n`)).exitCode).toBe(code);
    expect(await nft("-s", "list", "table", "ip", "ip-masq-agent")).toEqual(before);
    expect(await reconcile(backend, "IPv4", "10.0.0.0/8")).toBe("");
    expect([await source("10.1.1.1"), await source("11.1.1.1")]).toEqual([lab.pod.IPv4, lab.node.IPv4]);
  });

  test("edits, rewrites and removal go through the owner, in both families at once", async () => {
    const backend = backendOf();
    await Promise.all(
      families.map((family) => reconcile(backend, family, family === "IPv4" ? "10.0.0.0/8" : "fd00::/8")),
    );
    await Promise.all(
      families.map((family) => reconcile(backend, family, family === "IPv4" ? "12.0.0.0/8" : "fd00::/9")),
    );
    expect([await source("10.1.1.1"), await source("12.1.1.1")]).toEqual([lab.node.IPv4, lab.pod.IPv4]);
    expect(await flags()).toBe("owner,persist");
    for (const family of families) await backend.cleanup(family, limit());
    expect((await nft("list", "tables")).stdout).toBe("");
  });

  test("what nft refuses changes nothing, is told with its words, and the next write works", async () => {
    const backend = backendOf();
    await reconcile(backend, "IPv4", "10.0.0.0/8");
    const bad = {
      family: "IPv4",
      differences: [],
      summary: "",
      transaction: "add rule ip no-such-table c accept\n",
    } as const;
    await expect(backend.apply(bad, limit())).rejects.toMatchObject({
      reason: "rejected",
      stderr: expect.stringContaining("No such file or directory"),
    });
    const half = { ...bad, transaction: `flush set ip ip-masq-agent exempt\n${bad.transaction}` };
    await expect(backend.apply(half, limit())).rejects.toMatchObject({ reason: "rejected" });
    expect(await reconcile(backend, "IPv4", "10.0.0.0/8")).toBe("");
    expect(await reconcile(backend, "IPv4", "10.0.0.0/9")).toContain("set exempt");
  });

  test("the table outlives the agent, and the next one adopts it without a packet going wrong", async () => {
    const first = backendOf();
    await reconcile(first, "IPv4", "10.0.0.0/8");
    await first.close?.();
    expect(await flags()).toBe("persist");
    const wrong = await whileSending(async () => {
      const second = backendOf();
      expect(await reconcile(second, "IPv4", "10.0.0.0/8")).toBe("takes ownership of table ip ip-masq-agent");
    });
    expect(wrong).toEqual([]);
    expect(await flags()).toBe("owner,persist");
    expect((await write("flush ruleset\n")).exitCode).toBe(0);
    expect(await flags()).toBe("owner,persist");
  });

  test("unprotected tables are taken over, and given back, without a packet going wrong", async () => {
    const plain = backendOf({ protect: "off" });
    await reconcile(plain, "IPv4", "10.0.0.0/8");
    expect(await flags()).toBe("");
    const wrong = await whileSending(async () => {
      const owner = backendOf();
      expect(await reconcile(owner, "IPv4", "10.0.0.0/8")).toContain("takes ownership");
      expect(await flags()).toBe("owner,persist");
      await owner.close?.();
      const back = backendOf({ protect: "off" });
      await reconcile(back, "IPv4", "10.0.0.0/8");
      await reconcile(back, "IPv4", "10.0.0.0/8", "13.0.0.0/8");
    });
    expect(wrong).toEqual([]);
    expect((await nft("list", "tables")).stdout).toBe("table ip ip-masq-agent\n");
  });

  test("a takeover cut short leaves a table that decides; the next look finds and removes it", async () => {
    const plain = backendOf({ protect: "off" });
    await reconcile(plain, "IPv4", "10.0.0.0/8");
    const table = (await nft("list", "table", "ip", "ip-masq-agent")).stdout;
    await write(`${table.replace("ip-masq-agent", "ip-masq-agent-bridge")}\ndelete table ip ip-masq-agent\n`);
    expect([await source("10.1.1.1"), await source("11.1.1.1")]).toEqual([lab.pod.IPv4, lab.node.IPv4]);
    expect(await reconcile(backendOf(), "IPv4", "10.0.0.0/8")).toContain("removes what a takeover left");
    expect((await nft("list", "tables")).stdout).toBe("table ip ip-masq-agent\n");
  });

  test("kill -9 of the holder: told, replaced, adopted", async () => {
    const { promise: lost, resolve } = Promise.withResolvers<void>();
    const backend = backendOf({ onHolderLost: resolve });
    await reconcile(backend, "IPv4", "10.0.0.0/8");
    const wrong = await whileSending(async () => {
      process.kill(holderPid(), "SIGKILL");
      await lost;
      expect(await flags()).toBe("persist");
      await reconcile(backend, "IPv4", "10.0.0.0/8");
    });
    expect(wrong).toEqual([]);
    expect(await flags()).toBe("owner,persist");
  });

  test("another agent's table is left alone, and the error says whose it is", async () => {
    const first = backendOf();
    await reconcile(first, "IPv4", "10.0.0.0/8");
    for (const protect of ["on", "off"] as const) {
      await expect(reconcile(backendOf({ protect }), "IPv4", "12.0.0.0/8")).rejects.toMatchObject({
        reason: "permission",
        message: expect.stringContaining("--protect-rules"),
      });
    }
    await expect(backendOf({ protect: "off" }).cleanup("IPv4", limit())).rejects.toMatchObject({
      reason: "permission",
    });
    expect(await source("10.1.1.1")).toBe(lab.pod.IPv4);
  });

  test("10,000 CIDRs, and one more, go through the owner", async () => {
    const backend = backendOf();
    const many = Array.from(
      { length: 10_000 },
      (_, at) => `${20 + (at >> 15)}.${(at >> 7) & 255}.${(at & 127) * 2}.0/24`,
    );
    await reconcile(backend, "IPv4", ...many);
    expect(await source("20.0.2.1")).toBe(lab.pod.IPv4);
    expect(await source("20.0.3.1")).toBe(lab.node.IPv4);
    expect(await reconcile(backend, "IPv4", ...many, "99.0.0.0/8")).toContain("adds 1 elements");
    expect(await flags()).toBe("owner,persist");
  });
});

test("where it is not possible: auto does without, on says what it takes", async () => {
  const old = { launcher: lab.launcher, timeoutMs: 10_000 };
  expect(await createNftablesBackend({ ...old, protect: "auto" }).probe(limit())).toMatchObject({
    protects: (await lab.run(["nft", "--version"])).stdout.includes("v1.1"),
  });
  const backend = createNftablesBackend({ launcher: [...lab.launcher, "env", "PATH=/nonexistent"], protect: "on" });
  await expect(backend.probe(limit())).rejects.toMatchObject({ reason: "tool_missing" });
});

/** Sends packets to an exempt and to another destination for as long as `work` takes; gives those with a wrong source. */
async function whileSending(work: () => Promise<void>): Promise<readonly unknown[]> {
  let working = true;
  const wrong: unknown[] = [];
  let sent = 0;
  const sending = (async () => {
    while (working) {
      const arrivals = await lab.send([
        ...Array.from({ length: 20 }, (_, at) => ({ family: "IPv4" as const, destination: `10.0.${at}.1` })),
        ...Array.from({ length: 20 }, (_, at) => ({ family: "IPv4" as const, destination: `11.0.${at}.1` })),
      ]);
      sent += arrivals.length;
      for (const [at, arrival] of arrivals.entries()) {
        const expected = at < 20 ? lab.pod.IPv4 : lab.node.IPv4;
        if (arrival?.source !== expected) wrong.push({ at, arrival, expected });
      }
    }
  })();
  try {
    await work();
  } finally {
    working = false;
    await sending;
  }
  expect(sent).toBeGreaterThan(100);
  return wrong;
}
