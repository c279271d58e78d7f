import type { Family } from "@ip-masq-agent/core";
import { families } from "@ip-masq-agent/core";
import { type IptablesOptions, runnerOf } from "./backend.ts";
import { readProc, runSave, runVersion } from "./iptables.ts";
import { legacyTablesFile, type Variant } from "./names.ts";

/** What a node shows of one variant. */
export interface VariantSighting {
  readonly variant: Variant;
  /** The tools are there. */
  readonly installed: boolean;
  /** kube-proxy, or the kubelet on its behalf, keeps chains in this variant's nat table. */
  readonly kubernetes: boolean;
  /** The nat table holds rules, whoever's. */
  readonly inUse: boolean;
}

/**
 * Looks which variant this node uses, without changing that: a legacy tool is run only where the kernel already lists
 * the legacy nat table (running one to find out loads the modules, and then both worlds filter packets).
 */
export async function sightVariant(
  variant: Variant,
  options: Omit<IptablesOptions, "variant">,
  signal: AbortSignal,
): Promise<VariantSighting> {
  const runner = runnerOf({ ...options, variant });
  const nothing = { variant, installed: false, kubernetes: false, inUse: false };
  const installed = await runVersion(runner, "IPv4", signal).then(
    () => true,
    () => false,
  );
  if (!installed) return nothing;
  const texts = await Promise.all(families.map((family) => nat(family)));
  return {
    variant,
    installed,
    kubernetes: texts.some((text) =>
      /^:KUBE-(?:SERVICES|POSTROUTING|MARK-MASQ|KUBELET-CANARY|PROXY-CANARY) /m.test(text),
    ),
    inUse: texts.some((text) => / -A /.test(text)),
  };

  async function nat(family: Family): Promise<string> {
    if (variant === "legacy") {
      const tables = await readProc(runner, legacyTablesFile(family), signal);
      if (!tables?.split("\n").includes("nat")) return "";
    }
    return runSave(runner, family, signal).catch(() => "");
  }
}
