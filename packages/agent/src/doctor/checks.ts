import { agents } from "./agents.ts";
import { config } from "./config.ts";
import { conntrack } from "./conntrack.ts";
import type { Check } from "./examination.ts";
import { foreignIptables } from "./foreign-iptables.ts";
import { foreignNft } from "./foreign-nft.ts";
import { forwarding } from "./forwarding.ts";
import { kernel } from "./kernel.ts";
import { privileges } from "./privileges.ts";
import { tools } from "./tools.ts";

/** Every check, in the order in which they are told. */
export const checks: readonly Check[] = [
  kernel,
  privileges,
  tools,
  forwarding,
  conntrack,
  config,
  agents,
  foreignIptables,
  foreignNft,
];
