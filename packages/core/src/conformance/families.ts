import assert from "node:assert/strict";
import { type Family, families } from "../address/family.ts";
import { assertInForce } from "./convergence.ts";
import { assertDecisions } from "./decisions.ts";
import { samplePolicies, tamperedPolicy } from "./policies.ts";
import type { Kit } from "./trial.ts";

/** Nothing that is done for one family is seen in the other. */
export function familiesApart(kit: Kit): void {
  for (const family of families) {
    const other: Family = family === "IPv4" ? "IPv6" : "IPv4";

    kit.test(`families: ${family} alone leaves ${other} without rules`, async (trial) => {
      await trial.write(tamperedPolicy(family));
      assert.equal((await trial.observe(other)).present, false);
      assert.deepEqual(await trial.cleanup(other), []);
      await assertInForce(trial, tamperedPolicy(family));
    });

    kit.test(`families: ${family} is changed and removed beside ${other}`, async (trial) => {
      const standing = tamperedPolicy(other);
      await trial.write(standing);
      for (const { policy } of samplePolicies(family)) await trial.write(policy);
      await assertInForce(trial, standing);
      await trial.cleanup(family);
      await assertInForce(trial, standing);
      if (kit.limits.packets === undefined) await assertDecisions(trial, standing);
    });
  }
}
