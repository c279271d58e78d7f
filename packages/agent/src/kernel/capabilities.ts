import { readFileSync } from "node:fs";

/** Bits of /proc/PID/status' capability sets (capabilities(7)). */
const bits = { NET_ADMIN: 12n, NET_RAW: 13n } as const;

export type Capability = keyof typeof bits;

/** Who a process is, and what the tools that it starts may do. */
export interface Held {
  /** The effective user id, in digits. */
  readonly user: string;
  has(capability: Capability): boolean;
}

/**
 * Reads /proc/PID/status; undefined where it says nothing of capabilities. Another user than root hands on its ambient
 * set only: what it has besides, by the file's own capabilities for example, nft and iptables do not get.
 */
export function heldCapabilities(status: string): Held | undefined {
  const set = (name: string) => {
    const digits = new RegExp(`^${name}:\\s*([0-9a-f]+)`, "m").exec(status)?.[1];
    return digits === undefined ? undefined : BigInt(`0x${digits}`);
  };
  const effective = set("CapEff");
  if (effective === undefined) return undefined;
  const user = /^Uid:\s*\d+\s+(\d+)/m.exec(status)?.[1] ?? "0";
  const handedOn = user === "0" ? effective : effective & (set("CapAmb") ?? effective);
  return { user, has: (capability) => (handedOn & (1n << bits[capability])) !== 0n };
}

/** This process' own; undefined where there is no /proc. */
export function ownCapabilities(): Held | undefined {
  try {
    return heldCapabilities(readFileSync("/proc/self/status", "utf8"));
  } catch {
    return undefined;
  }
}
