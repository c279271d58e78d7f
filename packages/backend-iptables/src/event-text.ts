import type { Family } from "@ip-masq-agent/core";
import { hookChain, treePrefix } from "./names.ts";

/**
 * How lines of `nft monitor` that tell of rules of ours are known, where they are iptables-nft's: our chain, the tree's,
 * POSTROUTING (for the jump), and the nat table as a whole. kube-proxy's chains in the same table are passed over.
 */
export function ownChains(chain: string): { familyOf(line: string): Family | undefined } {
  const ours = new Set([chain, hookChain]);
  return {
    familyOf(line) {
      const [, kind, family, name = ""] = /^\S+ (table|chain|rule) (ip6?) nat(?: (\S+))?/.exec(line) ?? [];
      if (family === undefined) return undefined;
      const concerned = kind === "table" || ours.has(name) || name.startsWith(treePrefix);
      return concerned ? (family === "ip" ? "IPv4" : "IPv6") : undefined;
    },
  };
}
