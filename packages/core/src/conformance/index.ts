import { atomicity } from "./atomicity.ts";
import { cleanup } from "./cleanup.ts";
import { convergence } from "./convergence.ts";
import { drift } from "./drift.ts";
import { familiesApart } from "./families.ts";
import { foreignRules } from "./foreign.ts";
import { idempotence } from "./idempotence.ts";
import type { ConformanceOptions, Subject } from "./options.ts";
import { packets } from "./packets.ts";
import { type Kit, openTrial } from "./trial.ts";

export type { Arrival, CommandResult, TestNetwork, TestPacket } from "./network.ts";
export type { ConformanceOptions, Foreign, Limits, Subject, Tampering } from "./options.ts";

/**
 * Declares the tests that every backend must pass, ours and a stranger's, with the runner's own `test`. On a real kernel
 * they need root and a network of their own; nothing else is assumed of the runner, and assertions are Node's.
 */
export function conformance<S extends Subject>(options: ConformanceOptions<S>): void {
  const { name, open, limits = {}, tamperings, foreign, spoil, report = console.info } = options;
  const leftOut = new Map<string, string[]>();
  const kit: Kit<S> = {
    limits,
    tamperings,
    foreign,
    spoil,
    test(title, run) {
      options.test(`${name}: ${title}`, async () => {
        await using trial = await openTrial(open);
        await run(trial);
      });
    },
    testUnless(limit, title, run) {
      if (limit === undefined) kit.test(title, run);
      else leftOut.set(limit, [...(leftOut.get(limit) ?? []), title]);
    },
  };
  for (const property of [convergence, idempotence, atomicity, drift, familiesApart, foreignRules, cleanup, packets]) {
    property(kit);
  }
  for (const [reason, titles] of leftOut) {
    report(`${name}: ${titles.length} tests are left out, because ${reason}:\n  ${titles.join("\n  ")}`);
  }
}
