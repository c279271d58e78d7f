import { cpuOf } from "@ip-masq-agent/lab";
import { describe, expect, test } from "vitest";
import { openNode } from "../test/node-under-test.ts";
import { budgetMs, record, sleep, subjects, timeoutMs } from "./campaign.ts";
import { flushes } from "./tampering.ts";

/** Tamperings a second. */
const rates = [0.1, 1, 20];

/** How long one tampering may stay: the pace of repair in a conflict, and the interval of reading where there are no events. */
const longestWrongMs = { nftables: 2_500, "iptables-nft": 2_500, "iptables-legacy": 8_000 } as const;

const plain = subjects().filter(({ flags }) => flags.includes("--protect-rules=off"));

describe.each(plain)("another program that flushes our chain, $label", ({ label, backend, flags }) => {
  test.each(rates)("%s times a second", { timeout: timeoutMs }, async (rate) => {
    await using node = await openNode();
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 10m\n");
    const agent = node.start(...flags);
    await agent.line(({ msg }) => msg.startsWith("rules"));
    await sleep(1_000);
    const pid = agent.child.pid ?? 0;
    const seconds = budgetMs / 1_000;
    const [cpuBefore, started] = [await cpuOf(pid), performance.now()];
    // Counted by the shell itself, so that the number of tamperings is known.
    const loop = `n=0; while [ $n -lt ${Math.max(1, Math.round(seconds * rate))} ]; do ${flushes[backend]}; n=$((n+1)); sleep ${1 / rate}; done; echo $n`;
    let writing = true;
    const writer = node.lab.run(["timeout", "3600", "sh", "-c", loop]).finally(() => {
      writing = false;
    });
    const found = { sent: 0, wrong: 0, longestMs: 0 };
    let wrongSince: number | undefined;
    while (writing && performance.now() - started < budgetMs + 60_000) {
      const [arrival] = await node.lab.send([{ family: "IPv4", destination: "30.1.1.1" }]);
      const now = performance.now();
      found.sent++;
      if (arrival?.source === node.lab.node.IPv4) wrongSince = undefined;
      else {
        found.wrong++;
        wrongSince ??= now;
        found.longestMs = Math.max(found.longestMs, now - wrongSince);
      }
      await sleep(3);
    }
    const { stdout } = await writer;
    const lasted = performance.now() - started;
    const cpu = ((await cpuOf(pid)) - cpuBefore) / lasted;
    await expect
      .poll(async () => (await node.lab.send([{ family: "IPv4", destination: "30.1.1.1" }]))[0]?.source, {
        timeout: 15_000,
      })
      .toBe(node.lab.node.IPv4);
    const share = ((found.wrong / found.sent) * 100).toFixed(1);
    record({
      campaign: `another program flushes our chain ${rate} times a second`,
      on: label,
      tried: `${stdout.trim()} tamperings in ${(lasted / 1_000).toFixed(0)} s, ${found.sent} new connections`,
      result: `${share} % by a wrong address, ${found.longestMs.toFixed(0)} ms in a row at most; ${(cpu * 100).toFixed(1)} % of a CPU`,
    });
    expect(found.longestMs).toBeLessThan(longestWrongMs[backend]);
    expect(agent.child.exitCode).toBeNull();
  });
});
