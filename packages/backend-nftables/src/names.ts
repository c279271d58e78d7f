import type { Family } from "@ip-masq-agent/core";

/** As in `--backend`, metrics and errors. */
export const backendName = "nftables";

/**
 * Ours is what is in these two tables, all of it, and nothing outside them: a process without memory knows its own by
 * the name. No older form used other names.
 */
export const tableName = "ip-masq-agent";
/** For what the kernel is asked to check and throws away. */
export const checkTableName: string = `${tableName}-check`;
export const setName = "exempt";
export const chainName = "postrouting";

/** srcnat (100) + 20: after kube-proxy's and iptables' chains (100) and Calico's (110), which then decide first. */
export const hookPriority = 120;

/** nft's own word for the family. */
export function nftFamily(family: Family): "ip" | "ip6" {
  return family === "IPv4" ? "ip" : "ip6";
}

/** `ip ip-masq-agent`, as every nft statement names the table. */
export function tableOf(family: Family): string {
  return `${nftFamily(family)} ${tableName}`;
}

/** The table that decides in the other's stead while that one changes its owner. */
export function bridgeTableOf(family: Family): string {
  return `${tableOf(family)}-bridge`;
}

/** Nobody but the owner's socket may change the table, and it outlives the owner: nft 1.1, kernel 6.9. */
export const ownerFlags = "owner, persist";

/** The set's element type. */
export function addressType(family: Family): "ipv4_addr" | "ipv6_addr" {
  return family === "IPv4" ? "ipv4_addr" : "ipv6_addr";
}
