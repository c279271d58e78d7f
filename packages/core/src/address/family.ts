/** An IP family, spelled as in Kubernetes (`Service.spec.ipFamilies`) and in every `ip_family` label. */
export type Family = "IPv4" | "IPv6";

export const families: readonly Family[] = ["IPv4", "IPv6"];

/** Width of an address in bits: 32 or 128. */
export function addressBits(family: Family): number {
  return family === "IPv4" ? 32 : 128;
}

/** The highest address of the family as a number. */
export function lastAddress(family: Family): bigint {
  return (1n << BigInt(addressBits(family))) - 1n;
}
