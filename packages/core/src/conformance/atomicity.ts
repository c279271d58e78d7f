import assert from "node:assert/strict";
import { families } from "../address/family.ts";
import { assertInForce } from "./convergence.ts";
import { networkOf, samplePackets, verdict } from "./decisions.ts";
import type { TestNetwork } from "./network.ts";
import { switchedPolicies } from "./policies.ts";
import type { Kit } from "./trial.ts";

/** A transaction takes effect whole and at once, or not at all. */
export function atomicity(kit: Kit): void {
  const { limits, spoil } = kit;

  kit.testUnless(
    limits.packets,
    "atomicity: no new flow sees a wrong decision while policies are switched",
    async (trial) => {
      const network = networkOf(trial);
      for (const family of families) {
        for (const policy of switchedPolicies(family).slice(0, 1)) await trial.write(policy);
      }
      const checked = await whileChecking(network, async () => {
        for (const family of families) {
          const policies = switchedPolicies(family);
          for (const policy of [...policies, ...policies.toReversed()]) await trial.write(policy);
        }
      });
      assert.ok(checked > 100, `only ${checked} packets were sent meanwhile: too few to tell`);
    },
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

/**
 * Sends packets in both families without a pause until the work is done, to addresses whose decision never changes:
 * one always exempt, one always masqueraded. Returns how many were checked.
 */
async function whileChecking(network: TestNetwork, work: () => Promise<void>): Promise<number> {
  const pairs = families.flatMap((family) => samplePackets(family));
  const packets = Array.from({ length: 16 }, () => pairs).flat();
  let working = true;
  let checked = 0;
  const check = async (): Promise<void> => {
    while (working) {
      const arrivals = await network.send(packets);
      for (const [index, packet] of packets.entries()) {
        const should = index % 2 === 0 ? "exempt" : "masquerade";
        assert.equal(verdict(network, packet, arrivals[index]), should, `a packet to ${packet.destination}`);
      }
      checked += packets.length;
    }
  };
  const checking = check();
  const stop = (): void => {
    working = false;
  };
  await Promise.all([work().finally(stop), checking.finally(stop)]);
  return checked;
}
