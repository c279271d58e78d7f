import type { Family } from "../address/family.ts";
import { prefixSet } from "../address/prefix-set.ts";
import { linkLocal } from "../address/reserved.ts";
import type { Config } from "../config/config.ts";
import type { FamilyPolicy, Masquerade, Policy, PortRange } from "./policy.ts";

/** The flags that shape a policy; the config file says the rest. */
export interface PolicyOptions {
  readonly enableIPv6: boolean;
  readonly randomFully: boolean;
  readonly toPorts: readonly PortRange[];
}

/** What config and flags mean. A family that is switched off has no policy; its entries were refused before. */
export function derivePolicy(config: Config, options: PolicyOptions): Policy {
  const translation: Masquerade = { kind: "masquerade", randomFully: options.randomFully, ports: options.toPorts };
  const entries = config.nonMasqueradeCIDRs.map((entry) => entry.prefix);
  const policyOf = (family: Family, masqLinkLocal: boolean): FamilyPolicy => {
    const own = entries.filter((prefix) => prefix.family === family);
    return { family, exempt: prefixSet(family, masqLinkLocal ? own : [linkLocal[family], ...own]), translation };
  };
  const IPv4 = policyOf("IPv4", config.masqLinkLocal);
  return options.enableIPv6 ? { IPv4, IPv6: policyOf("IPv6", config.masqLinkLocalIPv6) } : { IPv4 };
}
