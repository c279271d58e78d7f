import assert from "node:assert/strict";
import { families } from "../address/family.ts";
import { assertInForce } from "./convergence.ts";
import { assertDecisions } from "./decisions.ts";
import type { Subject } from "./options.ts";
import { tamperedPolicy } from "./policies.ts";
import type { Kit } from "./trial.ts";

/** Every tampering is seen as what it is, and one write repairs it. */
export function drift<S extends Subject>(kit: Kit<S>): void {
  for (const family of families) {
    for (const { name, tamper, kinds } of kit.tamperings) {
      kit.test(`drift, ${family}: ${name}: ${kinds.join(", ")}`, async (trial) => {
        const policy = tamperedPolicy(family);
        await trial.write(policy);
        await tamper(trial.subject, family);
        const plan = await trial.plan(policy);
        const found = new Set(plan.differences.map((difference) => difference.kind));
        assert.deepEqual([...found].sort(), [...kinds].sort(), JSON.stringify(plan.differences));
        assert.notEqual(plan.transaction, "");
        assert.notEqual(plan.summary, "");
        await trial.apply(plan);
        await assertInForce(trial, policy);
        if (kit.limits.packets === undefined) await assertDecisions(trial, policy);
      });
    }
  }
}
