import type { Prefix } from "../address/prefix.ts";

/** One entry of `nonMasqueradeCIDRs`, with the place it came from: `explain` names it. */
export interface ExemptEntry {
  readonly prefix: Prefix;
  readonly file: string;
  readonly line?: number;
}

/**
 * What the config files say, defaults filled in, every entry valid. What it means, together with the flags, is the
 * policy.
 */
export interface Config {
  readonly nonMasqueradeCIDRs: readonly ExemptEntry[];
  readonly cidrLimit: number;
  readonly masqLinkLocal: boolean;
  readonly masqLinkLocalIPv6: boolean;
  readonly resyncIntervalMs: number;
}
