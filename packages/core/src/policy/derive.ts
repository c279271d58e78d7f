import { type Prefix, parsePrefix } from "../address/prefix.ts";
import { prefixSet } from "../address/prefix-set.ts";
import type { Config } from "../config/config.ts";
import type { FamilyPolicy, Masquerade, Policy, PortRange } from "./policy.ts";

/** The flags that shape a policy; the config file says the rest. */
export interface PolicyOptions {
  readonly enableIPv6: boolean;
  readonly randomFully: boolean;
  readonly toPorts: readonly PortRange[];
}

/** RFC 3927. */
export const linkLocalIPv4: Prefix = literal("169.254.0.0/16");
/** RFC 4291 section 2.5.6. */
export const linkLocalIPv6: Prefix = literal("fe80::/10");

/** What config and flags mean. Entries of a family that is switched off mean nothing, as in the Go original. */
export function derivePolicy(config: Config, options: PolicyOptions): Policy {
  const translation: Masquerade = { kind: "masquerade", randomFully: options.randomFully, ports: options.toPorts };
  const entries = config.nonMasqueradeCIDRs.map((entry) => entry.prefix);
  const family = (linkLocal: Prefix, masqLinkLocal: boolean): FamilyPolicy => {
    const own = entries.filter((prefix) => prefix.family === linkLocal.family);
    return {
      family: linkLocal.family,
      exempt: prefixSet(linkLocal.family, masqLinkLocal ? own : [linkLocal, ...own]),
      translation,
    };
  };
  const IPv4 = family(linkLocalIPv4, config.masqLinkLocal);
  return options.enableIPv6 ? { IPv4, IPv6: family(linkLocalIPv6, config.masqLinkLocalIPv6) } : { IPv4 };
}

function literal(text: string): Prefix {
  const prefix = parsePrefix(text);
  if ("code" in prefix) throw new Error(`${text} ${prefix.reason}`);
  return prefix;
}
