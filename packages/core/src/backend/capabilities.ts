/** What a backend found on this host. A backend adds fields of its own; each says what is done without it. */
export interface Capabilities {
  /** The variant in use: `nft` or `legacy` for iptables; empty where there is only one. */
  readonly variant: string;
  /** The tool's version, `1.0.6`; for `backend_info` and messages. */
  readonly toolVersion: string;
  /** Fully random source ports. Without it rules ask for no randomness and the agent warns. */
  readonly randomFully: boolean;
}
