import { memoryOf } from "@ip-masq-agent/lab";
import { describe, expect, test } from "vitest";
import { openNode } from "../test/node-under-test.ts";
import { createBrokenTools, faults, operations } from "./broken-tools.ts";
import { budgetMs, pick, randomFor, record, sleep, subjects, timeoutMs } from "./campaign.ts";
import { tamperings } from "./tampering.ts";
import { sendTraffic } from "./traffic.ts";

/** Anonymous memory beyond which a tool's output has been taken in: at rest the agent has some 20 MB. */
const mostAnonymousMB = 150;

const plain = subjects().filter(({ flags }) => flags.includes("--protect-rules=off"));

describe.each(plain)("tools that fail, $label", ({ label, backend, flags }) => {
  test("the agent lives, keeps what it has, and goes on when they work again", { timeout: timeoutMs }, async () => {
    await using node = await openNode();
    const tools = await createBrokenTools(node);
    const random = randomFor(`tools ${label}`);
    const configOf = (first: number) => `nonMasqueradeCIDRs: [10.0.0.0/8, ${first}.0.0.0/8]\nresyncInterval: 2s\n`;
    // Never 30, which no config exempts.
    let [current, next] = [40, 41];
    await node.write(configOf(current));
    const agent = node.startWith(tools.prefix, ...flags);
    await agent.line(({ msg }) => msg.startsWith("rules"));
    const pid = agent.child.pid ?? 0;
    const settled = { "10.1.1.1": ["pod"], "30.1.1.1": ["node"] } as const;
    await using traffic = sendTraffic(node.lab, settled);
    let [tried, worstMB] = [0, 0];
    const until = performance.now() + budgetMs;
    // Each fault at least once, in an order of its own; then at random.
    const queue = faults.toSorted(() => random() - 0.5);
    while (performance.now() < until || queue.length > 0) {
      const [fault, operation] = [queue.pop() ?? pick(faults, random), pick(operations, random)];
      const context = `${fault} at ${operation}, ${label}`;
      await tools.set(fault, operation);
      if (random() < 0.5) {
        // Nothing repairs it while the tool fails.
        traffic.allow(undefined);
        await node.lab.run(pick(tamperings[backend], random));
      } else await node.write(configOf(next));
      await sleep(200 + random() * 600);
      worstMB = Math.max(worstMB, (await memoryOf(pid)).anonymousKiB / 1024);
      await tools.set("none", "any");
      [current, next] = [next, next === 99 ? 40 : next + 1];
      await node.write(configOf(current));
      // Without any rules the exempt destination alone would look right.
      const probes = [`${current}.1.1.1`, "30.1.1.1"];
      const packets = probes.map((destination) => ({ family: "IPv4", destination }) as const);
      await expect
        .poll(async () => (await node.lab.send(packets)).map((arrival) => arrival?.source), {
          timeout: 15_000,
          message: context,
        })
        .toEqual([node.lab.pod.IPv4, node.lab.node.IPv4]);
      traffic.allow(settled);
      await sleep(30);
      expect(agent.child.exitCode, context).toBeNull();
      expect(traffic.wrong, context).toEqual([]);
      expect(worstMB, context).toBeLessThan(mostAnonymousMB);
      tried++;
    }
    const result = `taken up again each time; anonymous memory at most ${worstMB.toFixed(0)} MB; 0 of ${traffic.judged()} settled connections wrong`;
    record({ campaign: "tools that fail", on: label, tried: `${tried} faults of ${faults.length} kinds`, result });
  });
});
