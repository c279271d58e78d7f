import { nearest } from "../near-miss.ts";

/** Every key of a config file, in the order of the documentation. */
export const configKeys = [
  "nonMasqueradeCIDRs",
  "cidrLimit",
  "masqLinkLocal",
  "masqLinkLocalIPv6",
  "resyncInterval",
] as const;

export type ConfigKey = (typeof configKeys)[number];

/** What a config means that does not say. The default CIDRs are `privateRanges` and `reservedRanges`. */
export const defaults = {
  cidrLimit: 64,
  masqLinkLocal: false,
  masqLinkLocalIPv6: false,
  resyncIntervalMs: 60_000,
} as const;

/** The Go original took `0s` and looped without a pause. */
export const shortestResyncMs = 100;

/**
 * A regular expression with `i` and `u` compares by Unicode's simple case folding, as encoding/json does: the Kelvin sign
 * is a k and ſ an s. `toLowerCase` and `toUpperCase` are each something else.
 */
const patterns: readonly (readonly [ConfigKey, RegExp])[] = configKeys.map((key) => [
  key,
  new RegExp(`^${key}$`, "iu"),
]);

/** The key that a text means, however it is capitalised. */
export function findKey(text: string): ConfigKey | undefined {
  return patterns.find(([, pattern]) => pattern.test(text))?.[0];
}

/** The key that an unknown one is probably a slip of the pen for: at most a third of its letters differ. */
export function nearestKey(text: string): ConfigKey | undefined {
  return nearest(text, configKeys, { letters });
}

/** `masq_link_local` and `Masq-Link-Local` differ from a key in nothing that matters here. */
function letters(text: string): string {
  return text.length > 100 ? text : text.toLowerCase().replaceAll(/[-_ .]/g, "");
}
