import assert from "node:assert/strict";
import { families } from "../address/family.ts";
import type { Subject } from "./options.ts";
import { switchedPolicies, tamperedPolicy } from "./policies.ts";
import type { Kit } from "./trial.ts";

/** What others wrote is the same, to the byte, whatever we do. */
export function foreignRules<S extends Subject>(kit: Kit<S>): void {
  kit.testUnless(kit.limits.foreign, "foreign: rules of others survive write, repair and cleanup", async (trial) => {
    const { foreign } = kit;
    assert.ok(foreign, "the options have no foreign rules, and limits.foreign does not say why");
    const empty = await foreign.list(trial.subject);
    await foreign.install(trial.subject);
    const before = await foreign.list(trial.subject);
    assert.notEqual(before, empty, "the listing does not show what was installed");
    const unchanged = async (after: string): Promise<void> =>
      assert.equal(await foreign.list(trial.subject), before, `after ${after}`);
    for (const family of families) {
      for (const policy of switchedPolicies(family)) await trial.write(policy);
      await unchanged(`writing ${family}`);
      await trial.write(tamperedPolicy(family));
      await trial.cleanup(family);
      await unchanged(`cleanup of ${family}`);
      await trial.cleanup(family);
      await unchanged(`a second cleanup of ${family}`);
    }
  });

  for (const { name, tamper } of kit.tamperings) {
    kit.testUnless(kit.limits.foreign, `foreign: rules of others survive the repair after ${name}`, async (trial) => {
      const { foreign } = kit;
      assert.ok(foreign, "the options have no foreign rules, and limits.foreign does not say why");
      await foreign.install(trial.subject);
      for (const family of families) {
        await trial.write(tamperedPolicy(family));
        await tamper(trial.subject, family);
        // The tampering itself may have taken rules of others with it: those are not ours to restore.
        const before = await foreign.list(trial.subject);
        await trial.write(tamperedPolicy(family));
        assert.equal(await foreign.list(trial.subject), before, family);
      }
    });
  }
}
