import { once } from "node:events";
import type { AgentProcess } from "@ip-masq-agent/lab";
import { describe, expect, test } from "vitest";
import { openNode } from "../test/node-under-test.ts";
import { budgetMs, pick, randomFor, record, type Subject, sleep, subjects, timeoutMs } from "./campaign.ts";
import { tamperings } from "./tampering.ts";
import { type Allowed, sendTraffic } from "./traffic.ts";

/** 10/8 is exempt under both configs, 20/8 under the first only, 30/8 under neither. */
const configs = ["nonMasqueradeCIDRs: [10.0.0.0/8, 20.0.0.0/8]\n", "nonMasqueradeCIDRs: [10.0.0.0/8]\n"] as const;
const under: readonly Allowed[] = [
  { "10.1.1.1": ["pod"], "20.1.1.1": ["pod"], "30.1.1.1": ["node"] },
  { "10.1.1.1": ["pod"], "20.1.1.1": ["node"], "30.1.1.1": ["node"] },
];
const between: Allowed = { "10.1.1.1": ["pod"], "20.1.1.1": ["pod", "node"], "30.1.1.1": ["node"] };

const moments = ["start", "change", "repair", "switch"] as const;

/** Which backend an agent is killed with half-way through a switch. */
const others = { nftables: "iptables-nft", "iptables-nft": "iptables-legacy", "iptables-legacy": "nftables" } as const;

const inForce = ({ msg }: { readonly msg: string }) => msg.startsWith("rules");

describe.each(subjects())("SIGKILL at random moments, $label", (subject) => {
  test(`no packet meets a half-written state, and the next agent goes on`, { timeout: timeoutMs }, async () => {
    const kills = Object.fromEntries(moments.map((moment) => [moment, 0]));
    const judged = await killAtRandom(subject, kills);
    const total = Object.values(kills).reduce((sum, count) => sum + count, 0);
    const each = moments.map((moment) => `${moment} ${kills[moment]}`).join(", ");
    const result = `0 of ${judged} new connections by a wrong address`;
    record({ campaign: "SIGKILL", on: subject.label, tried: `${total} kills (${each})`, result });
    expect(total).toBeGreaterThan(2);
  });
});

async function killAtRandom(subject: Subject, kills: Record<string, number>): Promise<number> {
  const { label, backend, tools, flags } = subject;
  await using node = await openNode();
  const random = randomFor(`kill ${label}`);
  const start = (...more: readonly string[]) => node.startWith(tools.prefix, ...flags, ...more);
  let current = 0;
  await node.write(configs[0]);
  let agent = start();
  await agent.line(inForce);
  await using traffic = sendTraffic(node.lab, under[0] ?? {});

  /** Lets the agent run for a random time, kills it, and starts the next one, which must come to its rules. */
  async function killWithin(longestMs: number): Promise<void> {
    await sleep(random() * longestMs);
    await kill(agent);
    agent = start();
    await agent.line(inForce, 30_000);
  }

  const until = performance.now() + budgetMs;
  while (performance.now() < until) {
    const moment = pick(moments, random);
    if (moment === "start") {
      await kill(agent);
      agent = start();
      await killWithin(400);
    } else if (moment === "change") {
      traffic.allow(between);
      current = 1 - current;
      await node.write(configs[current] ?? "");
      await killWithin(80);
    } else if (moment === "repair") {
      traffic.allow(undefined);
      // Refused where the table is owned; the agent is killed all the same.
      await node.lab.run([...tools.prefix, ...pick(tamperings[backend], random)]);
      await killWithin(60);
      await sleep(50);
    } else {
      await kill(agent);
      agent = start(`--backend=${others[backend]}`, "--protect-rules=off");
      await killWithin(600);
      await sleep(300);
    }
    traffic.allow(under[current]);
    kills[moment] = (kills[moment] ?? 0) + 1;
    await sleep(20);
    expect(traffic.wrong, `after ${moment}, ${label}`).toEqual([]);
  }
  await traffic[Symbol.asyncDispose]();
  expect(traffic.wrong).toEqual([]);
  return traffic.judged();
}

async function kill({ child }: AgentProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
