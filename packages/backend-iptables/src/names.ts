import { createHash } from "node:crypto";
import { addressBits, type Family, formatPrefix, type Prefix } from "@ip-masq-agent/core";

/** Which of the two kernels' worlds the tools write to: xtables (legacy) or nf_tables (nft). */
export type Variant = "nft" | "legacy";

/** As in `--backend`, metrics and errors. */
export type BackendName = "iptables-nft" | "iptables-legacy";

export const hookChain: string = "POSTROUTING";

/** iptables' own limit (XT_EXTENSION_MAXNAMELEN, less the end mark). */
export const longestChainName = 28;

/**
 * How a process without memory knows its own: our chain by the name it is given; the chains of the tree by the form of
 * theirs, which begins like this; a chain of an earlier run under another name by its comments, which begin like the Go
 * original's.
 */
export const treePrefix = "IPMASQ-";
export const commentPrefix: string = "ip-masq-agent:";

/** Where every path through the tree ends that met no exempt prefix. */
export const translateChain: string = `${treePrefix}TRANSLATE`;

export const jumpComment: string = `${commentPrefix} all that leaves the node, its own addresses excepted`;
export const translateComment: string = `${commentPrefix} not exempt, so sent with the address of the node`;

/**
 * The chain for one node of the tree. The name follows from the node's range alone, so a change elsewhere in the tree
 * leaves it as it is: IPMASQ-0a000000-8 in IPv4; a hash where an IPv6 address would not fit.
 */
export function treeChain(prefix: Prefix): string {
  const digits = addressBits(prefix.family) / 4;
  const text = prefix.first.toString(16).padStart(digits, "0");
  const name = `${treePrefix}${text}-${prefix.length}`;
  if (name.length <= longestChainName) return name;
  return `${treePrefix}${createHash("sha256").update(formatPrefix(prefix)).digest("hex").slice(0, 20)}`;
}

/** Exactly the names above: an operator may well call a chain IPMASQ-something, with `--masq-chain` or without us. */
export function isTreeChain(name: string): boolean {
  if (!name.startsWith(treePrefix)) return false;
  return name === translateChain || /^IPMASQ-(?:[0-9a-f]{8}-\d{1,2}|[0-9a-f]{20})$/.test(name);
}

/** `iptables` or `ip6tables`: what the tools' names begin with. */
export function commandPrefix(family: Family): string {
  return family === "IPv4" ? "iptables" : "ip6tables";
}

/** Where the kernel lists the legacy tables in use; the file is absent while the modules are not loaded. */
export function legacyTablesFile(family: Family): string {
  return family === "IPv4" ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names";
}
