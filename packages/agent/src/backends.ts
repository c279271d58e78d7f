import type { Backend } from "@ip-masq-agent/core";
import type { ProtectChoice } from "./flags/flag.ts";

/** Every backend by the name it has in metrics. */
export type BackendName = "nftables" | "iptables-nft" | "iptables-legacy";

export const backendNames: readonly BackendName[] = ["nftables", "iptables-nft", "iptables-legacy"];

export interface BackendOptions {
  /** `--masq-chain`; nftables has tables of its own and no use for it. */
  readonly chain: string;
  /** `--protect-rules`; for nftables. Default off: who only looks or cleans up owns nothing. */
  readonly protect?: ProtectChoice;
  /** The process that held protected tables has ended by itself. */
  onHolderLost?(): void;
}

/** Makes a backend, loading its code only now: the one not chosen costs nothing but its clean-up. */
export async function createBackend(name: BackendName, options: BackendOptions): Promise<Backend> {
  if (name === "nftables") {
    const { createNftablesBackend } = await import("@ip-masq-agent/backend-nftables");
    const { protect = "off", onHolderLost } = options;
    return createNftablesBackend({ protect, ...(onHolderLost && { onHolderLost }) });
  }
  const { createIptablesBackend } = await import("@ip-masq-agent/backend-iptables");
  return createIptablesBackend({ variant: name === "iptables-nft" ? "nft" : "legacy", chain: options.chain });
}
