import { configLimits } from "./limits.ts";
import { type ConfigKey, configKeys, defaults } from "./schema.ts";

/** What a key may hold, for editors; the parser takes a little more (capitals in keys, JSON's null). */
type KeySchema = Readonly<Record<string, unknown>>;

/** An IPv4 or IPv6 CIDR as far as a pattern can tell; alignment and IPv4's octets it cannot. */
const cidr =
  "^(([0-9]{1,3}\\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*/([0-9]{1,2}|1[01][0-9]|12[0-8]))$";

const keys: Readonly<Record<ConfigKey, KeySchema>> = {
  nonMasqueradeCIDRs: {
    description:
      "Destinations that keep the sender's address. Not given: the private ranges of RFC 1918. An empty list: none.",
    type: ["array", "null"],
    maxItems: configLimits.entries,
    items: { type: "string", pattern: cidr, examples: ["10.0.0.0/8", "fd00::/8"] },
  },
  cidrLimit: {
    description: "How many CIDRs the list may have, link-local not counted.",
    type: ["integer", "null"],
    minimum: 0,
    default: defaults.cidrLimit,
  },
  masqLinkLocal: {
    description: "true: 169.254.0.0/16 is masqueraded too. false: it is exempt.",
    type: ["boolean", "null"],
    default: defaults.masqLinkLocal,
  },
  masqLinkLocalIPv6: {
    description: "true: fe80::/10 is masqueraded too. false: it is exempt. With --enable-ipv6.",
    type: ["boolean", "null"],
    default: defaults.masqLinkLocalIPv6,
  },
  resyncInterval: {
    description: "How often to compare with the kernel, as a Go duration of at least 100ms.",
    type: "string",
    pattern: "^\\+?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|m|s|ms)(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(h|m|s|ms))*$",
    default: "60s",
    examples: ["60s", "1m30s", "500ms"],
  },
};

/** A JSON schema of the config file (draft 7, as editors take it), made of the parser's own list of keys and defaults. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "ip-masq-agent's config",
    description: "Which destinations keep the address of the pod that sends to them; all others get the node's.",
    type: ["object", "null"],
    additionalProperties: false,
    properties: Object.fromEntries(configKeys.map((key) => [key, keys[key]])),
  };
}
