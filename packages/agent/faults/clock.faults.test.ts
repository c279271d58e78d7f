import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { agentFile, startAgent } from "@ip-masq-agent/lab";
import { describe, expect, test } from "vitest";
import { openNode } from "../test/node-under-test.ts";
import { budgetMs, pick, randomFor, record, sleep, timeoutMs } from "./campaign.ts";

const hour = 3_600_000;
const jumps = [-365 * 24 * hour, -hour, -1_000, 1_000, hour, 365 * 24 * hour];
const clock = fileURLToPath(new URL("jumping-clock.mjs", import.meta.url));

describe("the wall clock jumps", () => {
  test("drift is repaired at once, and no age is negative", { timeout: timeoutMs }, async () => {
    await using node = await openNode();
    const random = randomFor("clock");
    const offset = join(node.directory, "offset");
    await writeFile(offset, "0");
    await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\nresyncInterval: 10m\n");
    const flags = [
      "--backend=nftables",
      "--protect-rules=off",
      `--config=${node.file}`,
      "--metrics-address=127.0.0.1:10266",
    ];
    await using agent = startAgent([...node.lab.launcher, "env", `CLOCK_OFFSET_FILE=${offset}`], flags, [
      `--import=${clock}`,
    ]);
    await agent.line(({ msg }) => msg.startsWith("rules"));
    await sleep(1_000);
    let tried = 0;
    const until = performance.now() + budgetMs / 2;
    while (performance.now() < until) {
      await writeFile(offset, `${pick(jumps, random)}`);
      const before = agent.log.length;
      await node.must("nft", "flush", "chain", "ip", "ip-masq-agent", "postrouting");
      await agent.line((line) => line.msg === "drift repaired" && agent.log.indexOf(line) >= before);
      const status = JSON.parse((await node.get("/statusz", { accept: "application/json" })).body) as {
        readonly uptimeSeconds: number;
      };
      expect(status.uptimeSeconds).toBeGreaterThanOrEqual(0);
      expect(status.uptimeSeconds).toBeLessThan(3_600);
      const text = await node.must(process.execPath, agentFile, "status", "--metrics-address=127.0.0.1:10266");
      expect(text).not.toMatch(/-\d+(?:h|m|s|\.\d)/);
      tried++;
      await sleep(1_500);
    }
    const result = "each followed by drift that was repaired at once; no negative age";
    record({
      campaign: "wall clock jumps by up to a year, both ways",
      on: "nftables",
      tried: `${tried} jumps`,
      result,
    });
  });
});
