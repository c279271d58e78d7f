import type { Prefix } from "../address/prefix.ts";
import { findPrefix } from "../address/prefix-set.ts";
import type { FamilyPolicy, PortRange } from "./policy.ts";
import { portProtocols } from "./translation.ts";

/** A flow's first packet, about to leave the node. */
export interface Packet {
  readonly destination: bigint;
  /** The destination is one of the node's own addresses (of type LOCAL); only the node knows. */
  readonly local?: boolean;
  /** `tcp`, `udp`, `sctp` or another; the latter where absent. */
  readonly protocol?: string;
}

/** What becomes of a packet, and which part of the policy said so. */
export type Decision =
  | { readonly verdict: "local" }
  | { readonly verdict: "exempt"; readonly by: Prefix }
  | { readonly verdict: "masquerade"; readonly randomFully: boolean; readonly ports: readonly PortRange[] };

/** Decides one packet, in the order of the rules: local, exempt, else masqueraded. */
export function decide(policy: FamilyPolicy, packet: Packet): Decision {
  if (packet.local) return { verdict: "local" };
  const by = findPrefix(policy.exempt, packet.destination);
  if (by !== undefined) return { verdict: "exempt", by };
  const { randomFully, ports } = policy.translation;
  const governed = packet.protocol !== undefined && portProtocols.includes(packet.protocol);
  return { verdict: "masquerade", randomFully, ports: governed ? ports : [] };
}
