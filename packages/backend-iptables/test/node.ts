import type { Backend, Family, FamilyPolicy, Plan } from "@ip-masq-agent/core";
import { type Lab, toolchains } from "@ip-masq-agent/lab";
import { createIptablesBackend, type IptablesOptions } from "../src/index.ts";
import type { Variant } from "../src/names.ts";

/** One variant's tools of one toolchain. */
export interface Tools {
  readonly name: string;
  readonly variant: Variant;
  /** Words before a command on the node so that it is found in this toolchain. */
  readonly prefix: readonly string[];
}

export const everyTools: readonly Tools[] = toolchains().flatMap(({ name, prefix }) =>
  (["nft", "legacy"] as const).map((variant) => ({ name: `iptables-${variant}, ${name}`, variant, prefix })),
);

/** A node of the lab as seen by one variant's tools. */
export interface Node {
  /** A backend that works there. */
  backend(options?: Partial<IptablesOptions>): Backend;
  /** Runs iptables or ip6tables on table nat, once for each line; words are split as a shell would. */
  iptables(family: Family, ...lines: readonly string[]): Promise<void>;
  /** The nat table as iptables-save prints it, without counters or comments. */
  save(family: Family): Promise<string>;
  /** Leaves nothing in either world, so that tests of one variant do not meet rules of the other. */
  empty(): Promise<void>;
}

export function nodeOf(lab: Lab, { variant, prefix }: Tools): Node {
  const must = async (command: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await lab.run(command);
    if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
    return stdout;
  };
  const tool = (family: Family) => `${family === "IPv4" ? "iptables" : "ip6tables"}-${variant}`;
  return {
    backend: (options) =>
      createIptablesBackend({ variant, launcher: [...lab.launcher, ...prefix], timeoutMs: 20_000, ...options }),
    async iptables(family, ...lines) {
      for (const line of lines) await must([...prefix, "sh", "-c", `${tool(family)} -t nat ${line}`]);
    },
    async save(family) {
      const text = await must([...prefix, `${tool(family)}-save`, "-t", "nat"]);
      return text.replaceAll(/^#.*\n/gm, "").replaceAll(/ \[\d+:\d+\]$/gm, "");
    },
    async empty() {
      await must(["nft", "flush", "ruleset"]);
      for (const name of ["iptables-legacy", "ip6tables-legacy"]) {
        await must([name, "-t", "nat", "-F"]);
        await must([name, "-t", "nat", "-X"]);
      }
    },
  };
}

const never = new AbortController().signal;

/** Observes, plans and writes once; gives the plan. */
export async function write(backend: Backend, policy: FamilyPolicy): Promise<Plan> {
  const plan = await planFor(backend, policy);
  if (plan.transaction !== "") await backend.apply(plan, never);
  return plan;
}

/** What would be done now to bring the policy into force. */
export async function planFor(backend: Backend, policy: FamilyPolicy): Promise<Plan> {
  const can = await backend.probe(never);
  return backend.plan(backend.render(policy, can), await backend.observe(policy.family, never));
}
