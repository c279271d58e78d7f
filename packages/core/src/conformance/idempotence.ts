import assert from "node:assert/strict";
import { families } from "../address/family.ts";
import type { Counters } from "../backend/contract.ts";
import { assertDecisions } from "./decisions.ts";
import { insideAddress, outsideAddress, samplePolicies, tamperedPolicy } from "./policies.ts";
import type { Kit } from "./trial.ts";

/** What is right is not written again, and so the kernel goes on counting. */
export function idempotence(kit: Kit): void {
  for (const family of families) {
    kit.test(`idempotence, ${family}: a second write of any policy does nothing`, async (trial) => {
      for (const { name, policy } of samplePolicies(family)) {
        await trial.write(policy);
        const { differences, transaction } = await trial.write(policy);
        assert.deepEqual({ name, differences, transaction }, { name, differences: [], transaction: "" });
      }
    });

    kit.testUnless(
      kit.limits.packets ?? kit.limits.counters,
      `idempotence, ${family}: the kernel's counters count flows and survive`,
      async (trial) => {
        const policy = tamperedPolicy(family);
        await trial.write(policy);
        const before = (await trial.observe(family)).counters;
        const [exempt, masqueraded] = [insideAddress[family], outsideAddress[family]];
        const destinations = [exempt, exempt, exempt, masqueraded, masqueraded];
        await assertDecisions(
          trial,
          policy,
          destinations.map((destination) => ({ family, destination })),
        );
        const counted = (await trial.observe(family)).counters;
        // At least: a packet that was lost on a busy machine was sent again.
        assertAtLeast(counted, {
          exemptPackets: before.exemptPackets + 3,
          masqueradedPackets: before.masqueradedPackets + 2,
          masqueradedBytes: before.masqueradedBytes + 2 * 28,
        });
        await trial.write(policy);
        assertAtLeast((await trial.observe(family)).counters, counted);
      },
    );
  }
}

function assertAtLeast(found: Counters, least: Counters): void {
  const enough =
    found.exemptPackets >= least.exemptPackets &&
    found.masqueradedPackets >= least.masqueradedPackets &&
    found.masqueradedBytes >= least.masqueradedBytes;
  assert.ok(enough, `counters are ${JSON.stringify(found)}, and should be at least ${JSON.stringify(least)}`);
}
