import assert from "node:assert/strict";
import { families } from "../address/family.ts";
import { assertInForce } from "./convergence.ts";
import { networkOf, samplePackets, verdict } from "./decisions.ts";
import type { TestNetwork } from "./network.ts";
import { switchedPolicies } from "./policies.ts";
import type { Kit, Trial } from "./trial.ts";

/** A transaction takes effect whole and at once, or not at all. */
export function atomicity(kit: Kit): void {
  const { limits, spoil } = kit;

  kit.testUnless(limits.packets, "atomicity: no new flow sees a wrong decision while policies are switched", (trial) =>
    assertSwitches(trial),
  );

  for (const family of families) {
    kit.testUnless(limits.rejection, `atomicity, ${family}: what the kernel rejects changes nothing`, async (trial) => {
      assert.ok(spoil, "the options have no spoil, and limits.rejection does not say why");
      const [before, ...others] = switchedPolicies(family);
      assert.ok(before);
      const fresh = await trial.plan(before);
      await assert.rejects(trial.apply({ ...fresh, transaction: spoil(fresh.transaction, family) }));
      assert.equal((await trial.observe(family)).present, false, "a rejected first write left something behind");
      await trial.write(before);
      for (const policy of others) {
        const plan = await trial.plan(policy);
        await assert.rejects(trial.apply({ ...plan, transaction: spoil(plan.transaction, family) }));
        await assertInForce(trial, before);
      }
    });
  }
}

/** A window of 0.1 ms shows in one of a few switches; there are eighty. */
const rounds = 4;

async function assertSwitches(trial: Trial): Promise<void> {
  const policies = families.flatMap(switchedPolicies);
  for (const policy of policies.toReversed()) await trial.write(policy);
  const { sent, wrong } = await whileSending(networkOf(trial), async () => {
    for (let round = 0; round < rounds; round++) {
      for (const policy of [...policies, ...policies.toReversed()]) await trial.write(policy);
    }
  });
  assert.ok(sent > 1_000, `only ${sent} packets were sent meanwhile: too few to tell`);
  assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} of ${sent} packets met a wrong decision`);
}

/**
 * Sends packets in both families without a pause until the work is done, to addresses whose decision never changes: one
 * always exempt, one always masqueraded. Returns how many were sent, and what became of those that were wrong.
 */
async function whileSending(
  network: TestNetwork,
  work: () => Promise<void>,
): Promise<{ readonly sent: number; readonly wrong: readonly string[] }> {
  const pairs = families.flatMap((family) => samplePackets(family));
  const packets = Array.from({ length: 32 }, () => pairs).flat();
  const wrong: string[] = [];
  let sent = 0;
  let working = true;
  const send = async (): Promise<void> => {
    while (working) {
      const arrivals = await network.send(packets);
      for (const [index, packet] of packets.entries()) {
        const found = verdict(network, packet, arrivals[index]);
        const should = index % 2 === 0 ? "exempt" : "masquerade";
        if (found !== should) wrong.push(`${packet.destination}: ${found}, not ${should}`);
      }
      sent += packets.length;
    }
  };
  const stop = (): void => {
    working = false;
  };
  // Both to their end, whatever happens: work that goes on after its test would disturb the next one.
  for (const ended of await Promise.allSettled([work().finally(stop), send()])) {
    if (ended.status === "rejected") throw ended.reason;
  }
  return { sent, wrong };
}
