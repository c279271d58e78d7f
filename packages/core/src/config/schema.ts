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
  const written = letters(text);
  let nearest: ConfigKey | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const key of configKeys) {
    const most = Math.floor(key.length / 3);
    // Also keeps a key of a million letters away from the quadratic part.
    if (Math.abs(written.length - key.length) > most) continue;
    const edits = editDistance(written, letters(key));
    if (edits <= most && edits < fewest) [nearest, fewest] = [key, edits];
  }
  return nearest;
}

/** `masq_link_local` and `Masq-Link-Local` differ from a key in nothing that matters here. */
function letters(text: string): string {
  return text.length > 100 ? text : text.toLowerCase().replaceAll(/[-_ .]/g, "");
}

/**
 * The fewest letters to insert, delete, replace or swap with their neighbour that turn one text into the other (optimal
 * string alignment).
 */
export function editDistance(from: string, to: string): number {
  let before: readonly number[] = [];
  let above: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current: number[] = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(above, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
          ? at(before, column - 2) + 1
          : Number.POSITIVE_INFINITY;
      current.push(Math.min(at(above, column) + 1, at(current, column - 1) + 1, replaced, swapped));
    }
    [before, above] = [above, current];
  }
  return at(above, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
