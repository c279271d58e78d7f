import { type Family, families } from "@ip-masq-agent/core";
import { type IptablesOptions, runnerOf } from "./backend.ts";
import { mayHoldRules } from "./cleanup.ts";
import { runSave } from "./iptables.ts";
import type { Variant } from "./names.ts";

/** What a node shows of one variant. */
export interface VariantSighting {
  readonly variant: Variant;
  /** kube-proxy, or the kubelet on its behalf, keeps chains in this variant's nat table. */
  readonly kubernetes: boolean;
  /** The nat table holds rules, whoever's. */
  readonly inUse: boolean;
}

/**
 * Looks which variant this node uses, without changing that: a legacy tool is run only where the kernel already lists
 * the legacy nat table (running one to find out loads the modules, and then both worlds filter packets). What cannot be
 * read shows nothing: the backend that is chosen will say why.
 */
export async function sightVariant(
  variant: Variant,
  options: Omit<IptablesOptions, "variant">,
  signal: AbortSignal,
): Promise<VariantSighting> {
  const runner = runnerOf({ ...options, variant });
  const nat = async (family: Family): Promise<string> => {
    return (await mayHoldRules(runner, family, signal)) ? await runSave(runner, family, signal) : "";
  };
  const texts = await Promise.all(families.map((family) => nat(family).catch(() => "")));
  return {
    variant,
    kubernetes: texts.some((text) =>
      /^:KUBE-(?:SERVICES|POSTROUTING|MARK-MASQ|KUBELET-CANARY|PROXY-CANARY) /m.test(text),
    ),
    inUse: texts.some((text) => text.includes("] -A ")),
  };
}

/**
 * Whether this variant's nat table can hold rules, told without loading modules: the nft variant's always can; legacy's
 * where the kernel lists its nat table.
 */
export function iptablesMayHoldRules(variant: Variant, family: Family, signal: AbortSignal): Promise<boolean> {
  return mayHoldRules(runnerOf({ variant }), family, signal);
}
