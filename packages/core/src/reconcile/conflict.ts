import { retryDelay } from "./backoff.ts";

/** Tells a war over the rules from single acts of tampering, and sets the pace of repair in one. */
export interface ConflictGuard {
  /** A repair has succeeded, of drift with this key. Gives how long to let the rules be, in milliseconds; 0: no conflict. */
  repaired(key: string, now: number): number;
  /** The rules were found as they should be. True where that ends a conflict. */
  calm(now: number): boolean;
  /** Repairs in a row that were undone, of the conflict that goes on; 0: none does. */
  undone(): number;
}

export interface ConflictOptions {
  capMs(): number;
  random(): number;
}

/** The window in which repairs count, and how many are too many: of the same drift, and of any. */
const windowMs = 60_000;
const sameAgain = 5;
const anyAgain = 120;
const firstHoldMs = 1_000;

/**
 * Whoever undoes a repair does so again and again, with the same result: five times within a minute is a conflict, and
 * so is any drift at a pace of two a second. From then on each repair waits twice as long as the one before, up to the
 * resync interval. It ends when the rules stood for a minute, and for twice the last wait.
 */
export function createConflictGuard(options: ConflictOptions): ConflictGuard {
  let recent: readonly { readonly at: number; readonly key: string }[] = [];
  let level = 0;
  let holdMs = 0;

  function isOver(now: number): boolean {
    const last = recent.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
    return now - last > Math.max(windowMs, 2 * holdMs);
  }

  return {
    repaired(key, now) {
      if (isOver(now)) level = 0;
      recent = [...recent.filter(({ at }) => now - at <= windowMs), { at: now, key }];
      const same = recent.filter((repair) => repair.key === key).length;
      if (level === 0 && same < sameAgain && recent.length < anyAgain) return 0;
      level++;
      holdMs = retryDelay(level, { firstMs: firstHoldMs, capMs: options.capMs(), random: options.random });
      return holdMs;
    },
    calm(now) {
      if (level === 0 || !isOver(now)) return false;
      level = 0;
      return true;
    },
    undone: () => level,
  };
}
