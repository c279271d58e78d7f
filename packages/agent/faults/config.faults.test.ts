import { memoryOf } from "@ip-masq-agent/lab";
import { describe, expect, test } from "vitest";
import { openNode } from "../test/node-under-test.ts";
import { budgetMs, randomFor, record, sleep, timeoutMs } from "./campaign.ts";
import { randomConfig } from "./random-config.ts";
import { sendTraffic } from "./traffic.ts";

/** The memory limit of the manifests. */
const memoryLimitMB = 320;
/** A health probe has a second. */
const probeMs = 1_000;

const good = "nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 10m\n";

describe("random configs, while the agent runs", () => {
  test("it lives within its memory limit, answers, and takes the next good config", {
    timeout: timeoutMs,
  }, async () => {
    await using node = await openNode();
    const random = randomFor("config");
    await node.write(good);
    // Link-local is exempt under every config that is taken; what else is, hangs on the config.
    const agent = node.start("--backend=nftables", "--protect-rules=off", "--log-format=json");
    await agent.line(({ msg }) => msg.startsWith("rules"));
    const pid = agent.child.pid ?? 0;
    let [tried, slowestMs] = [0, 0];
    const until = performance.now() + budgetMs;
    while (performance.now() < until) {
      for (let count = 0; count < 20; count++) {
        await node.write(randomConfig(random));
        tried++;
        await sleep(10 + random() * 60);
      }
      const asked = performance.now();
      expect((await node.get("/healthz")).status).toBe(200);
      slowestMs = Math.max(slowestMs, performance.now() - asked);
      expect(agent.child.exitCode).toBeNull();
      await node.write(good);
      await expect
        .poll(async () => (await node.lab.send([{ family: "IPv4", destination: "10.1.1.1" }]))[0]?.source)
        .toBe(node.lab.pod.IPv4);
    }
    await using traffic = sendTraffic(node.lab, { "10.1.1.1": ["pod"], "30.1.1.1": ["node"] });
    await sleep(300);
    await traffic[Symbol.asyncDispose]();
    expect(traffic.wrong).toEqual([]);
    const peakMB = (await memoryOf(pid)).peakKiB / 1024;
    const result = `alive; the next good config taken each time; memory at most ${peakMB.toFixed(0)} MB; /healthz within ${slowestMs.toFixed(0)} ms, the asking process included`;
    record({ campaign: "random configs, by grammar and by bytes", on: "nftables", tried: `${tried} configs`, result });
    expect(peakMB).toBeLessThan(memoryLimitMB);
    expect(slowestMs).toBeLessThan(probeMs);
  });
});
