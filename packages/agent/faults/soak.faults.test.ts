import { readdir } from "node:fs/promises";
import { childrenOf, memoryOf } from "@ip-masq-agent/lab";
import { describe, expect, test } from "vitest";
import { openNode } from "../test/node-under-test.ts";
import { budgetMs, record, sleep, subjects, timeoutMs } from "./campaign.ts";

/** Growth beyond this over a run is a leak: V8 gives memory back late, so a short run needs room. */
const mostGrowthMB = 40;

describe.each(subjects())("a config change a second, $label", ({ label, tools, flags }) => {
  test("memory, descriptors and children stay as they are", { timeout: timeoutMs }, async () => {
    await using node = await openNode();
    const configOf = (at: number) =>
      `nonMasqueradeCIDRs: [${Array.from({ length: 64 }, (_, one) => `10.${at % 200}.${one}.0/24`).join(", ")}]\n`;
    await node.write(configOf(0));
    const agent = node.startWith(tools.prefix, ...flags);
    await agent.line(({ msg }) => msg.startsWith("rules"));
    await sleep(2_000);
    const pid = agent.child.pid ?? 0;
    const before = await sizeOf(pid);
    let changes = 0;
    const until = performance.now() + budgetMs;
    while (performance.now() < until) {
      await node.write(configOf(++changes));
      await sleep(1_000);
    }
    await sleep(1_000);
    const after = await sizeOf(pid);
    const say = (size: typeof before) =>
      `${size.anonymousMB.toFixed(0)} MB anonymous, ${size.descriptors} descriptors, ${size.children} children (${size.childrenMB.toFixed(0)} MB)`;
    record({
      campaign: "soak",
      on: label,
      tried: `${changes} changes`,
      result: `before ${say(before)}; after ${say(after)}`,
    });
    expect(after.anonymousMB - before.anonymousMB).toBeLessThan(mostGrowthMB);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2);
    expect(after.children).toBeLessThanOrEqual(before.children + 1);
  });
});

interface Size {
  readonly anonymousMB: number;
  readonly descriptors: number;
  readonly children: number;
  /** Resident. */
  readonly childrenMB: number;
}

async function sizeOf(pid: number): Promise<Size> {
  const children = await childrenOf(pid);
  // A tool that has ended meanwhile has no memory.
  const residentMB = (child: number) =>
    memoryOf(child).then(
      ({ residentKiB }) => residentKiB / 1024,
      () => 0,
    );
  const sizes = await Promise.all(children.map(residentMB));
  return {
    anonymousMB: (await memoryOf(pid)).anonymousKiB / 1024,
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
    children: children.length,
    childrenMB: sizes.reduce((sum, size) => sum + size, 0),
  };
}
