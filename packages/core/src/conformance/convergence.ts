import assert from "node:assert/strict";
import { families } from "../address/family.ts";
import { formatSet } from "../address/prefix-set.ts";
import type { FamilyPolicy } from "../policy/policy.ts";
import { samplePolicies } from "./policies.ts";
import { attainable, type Kit, type Trial } from "./trial.ts";

/** Whatever the policy and whatever was there before: one write, and what is observed is that policy. */
export function convergence(kit: Kit): void {
  for (const family of families) {
    kit.test(`convergence, ${family}: a fresh node has nothing of ours`, async (trial) => {
      assert.equal((await trial.observe(family)).present, false);
    });
    const named = samplePolicies(family);
    for (const { name, policy } of named) {
      kit.test(`convergence, ${family}: ${name}, on a fresh node`, (trial) => assertConverges(trial, policy));
    }
    kit.test(`convergence, ${family}: from each policy to the next and back`, async (trial) => {
      for (const { policy } of [...named, ...named.toReversed()]) await assertConverges(trial, policy);
    });
    kit.test(`convergence, ${family}: equal policies give equal plans`, async (trial) => {
      for (const { policy } of named) assert.deepEqual(await trial.plan(policy), await trial.plan(policy));
    });
  }
}

/** Writes the policy, observes it, and finds nothing more to do. */
export async function assertConverges(trial: Trial, policy: FamilyPolicy): Promise<void> {
  await trial.write(policy);
  await assertInForce(trial, policy);
}

/** The policy is what is observed, and a plan for it is empty. */
export async function assertInForce(trial: Trial, policy: FamilyPolicy): Promise<void> {
  const observation = await trial.observe(policy.family);
  assert.equal(observation.family, policy.family);
  assert.equal(observation.present, true);
  assert.deepEqual(observation.policy && readable(observation.policy), readable(attainable(policy, trial.can)));
  const { differences, transaction } = await trial.plan(policy);
  assert.deepEqual({ differences, transaction }, { differences: [], transaction: "" });
}

/** Prefixes as text, so that a failed comparison can be read. */
function readable({ family, exempt, translation }: FamilyPolicy): object {
  return { family, exempt: formatSet(exempt), translation };
}
