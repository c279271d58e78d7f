import type { Family } from "../address/family.ts";
import type { PrefixSet } from "../address/prefix-set.ts";

/**
 * What one family's packets get on their way out of the node. Pure and comparable: two policies that decide alike are
 * equal values. Packets to the node's own addresses are left alone always; that is not an option and so not a field.
 *
 * Growth this shape leaves room for, each as one more optional member and without touching those below: exceptions
 * inside an exempt range; classes of sources with an exempt set and a translation of their own.
 */
export interface FamilyPolicy {
  readonly family: Family;
  /** Destinations that keep the sender's address. */
  readonly exempt: PrefixSet;
  /** What every other packet gets. */
  readonly translation: Translation;
}

/** How a source address is rewritten. A union, so that SNAT to a chosen address is one more member. */
export type Translation = Masquerade;

/** The address of the interface that the packet leaves by. */
export interface Masquerade {
  readonly kind: "masquerade";
  /** Source ports chosen at random over the whole range, against insertion races in conntrack. */
  readonly randomFully: boolean;
  /**
   * Ranges for the source ports of tcp, udp and sctp, in the order of the flag; none: the kernel's own choice. Each is
   * taken in proportion to its number of ports, so overlapping ranges (42-44,42-43) are not merged: shares would shift.
   */
  readonly ports: readonly PortRange[];
}

/** Source ports, both ends included, 1 to 65535. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The whole node's policy. A family that is absent is switched off: nothing of ours belongs in the kernel for it. */
export interface Policy {
  readonly IPv4: FamilyPolicy;
  readonly IPv6?: FamilyPolicy;
}
