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

const hostMasks: Readonly<Record<Family, readonly bigint[]>> = { IPv4: masksOf(32), IPv6: masksOf(128) };

/** The bits right of a prefix's length, all set. From a table: big integers made anew cost a large config its time. */
export function hostMask(family: Family, length: number): bigint {
  return hostMasks[family][length] ?? 0n;
}

function masksOf(bits: number): readonly bigint[] {
  return Array.from({ length: bits + 1 }, (_, length) => (1n << BigInt(bits - length)) - 1n);
}
