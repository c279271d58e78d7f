import { createIptablesBackend } from "@ip-masq-agent/backend-iptables";
import { createNftablesBackend } from "@ip-masq-agent/backend-nftables";
import type { Backend } from "@ip-masq-agent/core";
import type { BackendName } from "../src/backends.ts";

export const names: readonly BackendName[] = ["nftables", "iptables-nft", "iptables-legacy"];

/** A backend that works inside a namespace of the lab. */
export function backendIn(launcher: readonly string[], name: BackendName, chain = "IP-MASQ-AGENT"): Backend {
  if (name === "nftables") return createNftablesBackend({ launcher });
  return createIptablesBackend({ launcher, variant: name === "iptables-nft" ? "nft" : "legacy", chain });
}
