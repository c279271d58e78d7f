import type { Family } from "../address/family.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import type { Observation, Plan } from "../backend/contract.ts";
import type { FamilyPolicy } from "../policy/policy.ts";
import type { ConformanceOptions, Limits, Subject } from "./options.ts";

/** One subject, probed, and the steps of the loop as the properties take them. */
export interface Trial<S extends Subject = Subject> extends AsyncDisposable {
  readonly subject: S;
  readonly can: Capabilities;
  observe(family: Family): Promise<Observation>;
  /** Observes the policy's family, and plans. */
  plan(policy: FamilyPolicy): Promise<Plan>;
  apply(plan: Plan): Promise<void>;
  /** Observes, plans, and applies where something is to be done. */
  write(policy: FamilyPolicy): Promise<Plan>;
  cleanup(family: Family): Promise<readonly string[]>;
  removable(family: Family): Promise<readonly string[]>;
}

/** What the properties are made of: a way to declare their tests, and the options that they need. */
export interface Kit<S extends Subject = Subject> {
  readonly tamperings: ConformanceOptions<S>["tamperings"];
  readonly foreign: ConformanceOptions<S>["foreign"];
  readonly spoil: ConformanceOptions<S>["spoil"];
  readonly limits: Limits;
  /** Declares a test on a fresh subject. */
  test(title: string, run: (trial: Trial<S>) => Promise<void>): void;
  /** Declares it unless there is a limit, which is reported instead. */
  testUnless(limit: string | undefined, title: string, run: (trial: Trial<S>) => Promise<void>): void;
}

/** Backends have time limits of their own; the kit never aborts. */
const signal = new AbortController().signal;

export async function openTrial<S extends Subject>(open: () => Promise<S>): Promise<Trial<S>> {
  await using stack = new AsyncDisposableStack();
  const subject = stack.use(await open());
  const { backend } = subject;
  const can = await backend.probe(signal);
  const plan = async (policy: FamilyPolicy): Promise<Plan> =>
    backend.plan(backend.render(policy, can), await backend.observe(policy.family, signal));
  const resources = stack.move();
  return {
    subject,
    can,
    plan,
    observe: (family) => backend.observe(family, signal),
    apply: (planned) => backend.apply(planned, signal),
    async write(policy) {
      const planned = await plan(policy);
      if (planned.transaction !== "") await backend.apply(planned, signal);
      return planned;
    },
    cleanup: (family) => backend.cleanup(family, signal),
    removable: (family) => backend.removable(family, signal),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** The policy as this host can have it: `randomFully` is what an old tool or kernel goes without. */
export function attainable(policy: FamilyPolicy, can: Capabilities): FamilyPolicy {
  const randomFully = policy.translation.randomFully && can.randomFully;
  return { ...policy, translation: { ...policy.translation, randomFully } };
}
