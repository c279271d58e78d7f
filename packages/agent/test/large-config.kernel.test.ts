import { readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { configLimits } from "@ip-masq-agent/core";
import type { AgentProcess, LogLine } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { names } from "./backends.ts";
import { type MemoryGroup, openMemoryGroup } from "./memory-group.ts";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

const mebibyte = 2 ** 20;
/** As docs/operating.md has it. */
const largeLimit = 512 * mebibyte;
const usualLimit = 320 * mebibyte;
const delayFile = new URL("event-loop-delay.mjs", import.meta.url).href;

let node: NodeUnderTest;
let group: MemoryGroup | undefined;
beforeEach(async () => {
  node = await openNode();
});
afterEach(async () => {
  await node[Symbol.asyncDispose]();
  await group?.[Symbol.asyncDispose]();
  group = undefined;
});

async function startWithin(bytes: number, ...flags: readonly string[]): Promise<AgentProcess> {
  group = await openMemoryGroup(bytes);
  if (group === undefined) process.stderr.write("no memory control group here: the agent's own memory is looked at\n");
  const watched = ["env", `NODE_OPTIONS=--import=${delayFile}`];
  return node.startWith([...(group?.words ?? []), ...watched], "--protect-rules=off", ...flags);
}

/** Nothing was killed; and what was the most in use stayed below the limit, which it does by definition in a group. */
async function expectWithin(agent: AgentProcess, bytes: number): Promise<void> {
  expect(agent.child.exitCode).toBeNull();
  if (group !== undefined) {
    expect(await group.killed()).toBe(0);
    return;
  }
  const status = await readFile(`/proc/${agent.child.pid}/status`, "utf8");
  expect(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024).toBeLessThan(bytes);
}

/** Milliseconds for which the event loop stood still. On a quiet machine 250 is never reached; tests run beside others. */
function longestDelay(agent: AgentProcess): number {
  return Math.max(...agent.log.map(({ msg, ms }) => (msg === "event loop delay" ? Number(ms) : 0)));
}

/** That do not merge; `last` is one more. */
function configOf(count: number, last: string, base = 20): string {
  const cidrs = Array.from({ length: count - 1 }, (_, at) => {
    return `  - ${base + (at >> 15)}.${(at >> 7) & 255}.${(at & 127) * 2}.0/24\n`;
  });
  return `cidrLimit: ${configLimits.entries}\nresyncInterval: 1h\nnonMasqueradeCIDRs:\n${cidrs.join("")}  - ${last}\n`;
}

async function sourceOf(destination: string): Promise<"pod" | "node" | undefined> {
  const [arrival] = await node.lab.send([{ family: "IPv4", destination }]);
  return arrival?.source === node.lab.pod.IPv4 ? "pod" : arrival?.source === node.lab.node.IPv4 ? "node" : undefined;
}

describe.each(names)("%s, with as many CIDRs as are allowed", (backend) => {
  test("starts, changes one and all, and repairs within 512 MiB; one more is refused", {
    timeout: 240_000,
  }, async () => {
    const count = configLimits.entries;
    await node.write(configOf(count, "98.0.0.0/8"));
    const agent = await startWithin(largeLimit, `--backend=${backend}`);
    const next = async (told: RegExp, act: () => Promise<unknown>): Promise<LogLine> => {
      const from = agent.log.length;
      await act();
      return agent.line((line) => agent.log.indexOf(line) >= from && told.test(line.msg), 120_000);
    };
    await agent.line(({ msg }) => msg.startsWith("rules"), 120_000);
    expect([await sourceOf("98.1.1.1"), await sourceOf("20.1.2.3"), await sourceOf("99.1.1.1")]).toEqual([
      ...["pod", "pod", "node"],
    ]);
    await next(/^rules written/, () => node.write(configOf(count, "99.0.0.0/8")));
    expect([await sourceOf("98.1.1.1"), await sourceOf("99.1.1.1")]).toEqual(["node", "pod"]);
    await next(/^rules written/, () => node.write(configOf(count, "98.0.0.0/8", 120)));
    expect([await sourceOf("98.1.1.1"), await sourceOf("20.1.2.3"), await sourceOf("120.1.2.3")]).toEqual([
      ...["pod", "node", "pod"],
    ]);
    await next(/^drift repaired/, async () => {
      await node.must(...(backend === "nftables" ? ["nft", "flush", "ruleset"] : [backend, "-t", "nat", "-F"]));
      // Legacy rules tell nobody of changes.
      agent.child.kill("SIGHUP");
    });
    expect(await sourceOf("120.1.2.3")).toBe("pod");
    const refused = await next(/nonMasqueradeCIDRs/, () => node.write(configOf(count + 1, "97.0.0.0/8")));
    expect(refused.msg).toContain(
      `${node.file}:3: nonMasqueradeCIDRs "${count + 1}": the list has ${count + 1} CIDRs, and at most ${count} are supported`,
    );
    expect(await sourceOf("98.1.1.1")).toBe("pod");
    await expectWithin(agent, largeLimit);
    expect(longestDelay(agent)).toBeLessThan(1_000);
  });
});

describe("within the usual 320 MiB", () => {
  const fill = (part: string, bytes: number, head = "") => head + part.repeat(Math.floor(bytes / part.length));
  const unknown = Array.from({ length: 20_000 }, (_, at) => `unknown${at}: 1\n`).join("");

  test("no config kills the agent, stops its answers or fills its log", { timeout: 240_000 }, async () => {
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\n");
    const agent = await startWithin(usualLimit, "--backend=nftables");
    await agent.line(({ msg }) => msg.startsWith("rules"));
    const hostile: Readonly<Record<string, () => Promise<unknown>>> = {
      aliases: () => node.write(fill("- *a\n", 3 * mebibyte, "a: &a 10.0.0.0/8\nnonMasqueradeCIDRs:\n")),
      "few aliases": () => node.write(fill("- *a\n", 500_000, "a: &a 10.0.0.0/8\nnonMasqueradeCIDRs:\n")),
      "unknown keys": () => node.write(unknown),
      "more unknown keys": () => node.write(fill(unknown, 8 * mebibyte)),
      documents: () => node.write(fill("---\na: 1\n", 8 * mebibyte)),
      "many CIDRs": () => node.write(configOf(350_000, "98.0.0.0/8")),
      "wrong CIDRs": () => node.write(fill("- 10.0.0.1/8\n", 600_000, "nonMasqueradeCIDRs:\n")),
      "open brackets": () => node.write(fill("[", mebibyte)),
      "a device": async () => {
        await rm(node.file);
        await symlink("/dev/zero", node.file);
      },
      "a file of 300 MB": async () => {
        await rm(node.file);
        await writeFile(node.file, "");
        await truncate(node.file, 300_000_000);
      },
    };
    for (const [what, write] of Object.entries(hostile)) {
      const from = agent.log.length;
      await write();
      const refused = ({ msg }: LogLine) => msg.startsWith("the config is not valid");
      await agent.line((line) => agent.log.indexOf(line) >= from && refused(line), 20_000);
      expect((await node.get("/healthz")).status, what).toBe(200);
      // 20 findings, how many more there are, and what follows from it; a few more where a write is seen in two halves.
      const lines = agent.log.slice(from).filter(({ msg }) => msg !== "event loop delay");
      expect(lines.length, what).toBeLessThanOrEqual(50);
      expect(JSON.stringify(lines).length, what).toBeLessThan(50_000);
    }
    const { body } = await node.get("/statusz", { accept: "application/json" });
    expect(JSON.parse(body)).toMatchObject({ config: { refused: [expect.stringContaining("300000000 bytes")] } });
    await rm(node.file);
    await node.write("nonMasqueradeCIDRs: [11.0.0.0/8]\n");
    await expect.poll(() => sourceOf("11.1.1.1")).toBe("pod");
    await expectWithin(agent, usualLimit);
    expect(longestDelay(agent)).toBeLessThan(1_000);
    if (group !== undefined) expect(await group.most()).toBeLessThan(usualLimit);
  });
});
