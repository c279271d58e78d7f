import assert from "node:assert/strict";
import { type Family, families } from "../address/family.ts";
import { networkOf, samplePackets, verdict } from "./decisions.ts";
import type { Subject } from "./options.ts";
import { samplePolicies, tamperedPolicy } from "./policies.ts";
import type { Kit, Trial } from "./trial.ts";

/** After a cleanup there is nothing of ours, whatever was there; and it says whether there was anything. */
export function cleanup<S extends Subject>(kit: Kit<S>): void {
  for (const family of families) {
    kit.test(`cleanup, ${family}: a fresh node has nothing to remove`, async (trial) => {
      assert.deepEqual(await trial.removable(family), []);
      assert.deepEqual(await trial.cleanup(family), []);
    });

    kit.test(`cleanup, ${family}: nothing is left of any policy, and what goes can be listed before`, async (trial) => {
      for (const { policy } of samplePolicies(family)) {
        await trial.write(policy);
        const own = await trial.removable(family);
        assert.equal((await trial.observe(family)).present, true, "it removed what it was to list");
        assert.notDeepEqual(own, [], "it does not list what it would remove");
        assert.deepEqual(await trial.cleanup(family), own, "it removed something else than it listed");
        assert.equal((await trial.observe(family)).present, false);
        assert.deepEqual(await trial.cleanup(family), []);
      }
    });

    for (const { name, tamper } of kit.tamperings) {
      kit.test(`cleanup, ${family}: nothing is left after ${name}`, async (trial) => {
        await trial.write(tamperedPolicy(family));
        await tamper(trial.subject, family);
        const own = await trial.removable(family);
        assert.deepEqual(await trial.cleanup(family), own, "it removed something else than it listed");
        assert.equal((await trial.observe(family)).present, false);
        assert.deepEqual(await trial.cleanup(family), []);
      });
    }

    kit.testUnless(kit.limits.packets, `cleanup, ${family}: packets are left alone again`, async (trial) => {
      await trial.write(tamperedPolicy(family));
      await trial.cleanup(family);
      await assertLeftAlone(trial, family);
    });
  }
}

async function assertLeftAlone(trial: Trial, family: Family): Promise<void> {
  const network = networkOf(trial);
  const packets = samplePackets(family);
  const arrivals = await network.send(packets);
  assert.deepEqual(
    packets.map((packet, index) => verdict(network, packet, arrivals[index])),
    packets.map(() => "exempt"),
  );
}
