import type { PortRange, Prefix } from "@ip-masq-agent/core";

/** One rule as a value; what iptables would print of it is in render.ts. */
export interface IptablesRule {
  readonly destination?: Prefix;
  /** `! --dst-type LOCAL`: not one of the node's own addresses. */
  readonly notLocal?: boolean;
  readonly protocol?: string;
  /** Of 2^31 draws, how many match: the kernel's own fixed point. */
  readonly draws?: number;
  readonly comment?: string;
  readonly action: Action;
}

export type Action =
  | { readonly kind: "return" }
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  | { readonly kind: "masquerade"; readonly randomFully: boolean; readonly ports?: PortRange };

/** A chain and its rules, in order. */
export interface IptablesChain {
  readonly name: string;
  readonly rules: readonly IptablesRule[];
}
