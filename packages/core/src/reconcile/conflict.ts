/** Tells a conflict over the rules from single acts of tampering. It sets no pace: see pace.ts. */
export interface ConflictGuard {
  /** The rules were found changed after they had been in force, or written. Gives where the conflict stands after that. */
  tampered(key: string, now: number): "none" | "begins" | "goes on";
  /** The rules were found as they should be. True where that ends a conflict. */
  calm(now: number): boolean;
  /** The conflict that goes on, or none. */
  current(): { readonly since: number; readonly undone: number } | undefined;
  /** Monotonic time at which rules that stand until then end the conflict. Means nothing without one. */
  overAt(): number;
  /** A conflict in which the rules do not stand for two seconds: they are seldom worth a second read. */
  isRapid(): boolean;
}

/** The time in which acts of tampering count together, and how many are a conflict: of the same kind, and of any. */
const windowMs = 600_000;
const sameAgain = 5;
const anyAgain = 20;

/** The least time for which the rules must stand, and the longest that is asked for. */
const quietMs = { least: 60_000, most: windowMs } as const;
const rapidMs = 2_000;

/**
 * The same drift five times in ten minutes is a conflict, and so is any drift twenty times: a flush every 10 s is told
 * after 40 s, one every minute after four. It is over when the rules stood for a minute, and for three times the mean
 * time between the last five acts; ten minutes are always enough.
 */
export function createConflictGuard(): ConflictGuard {
  let recent: readonly { readonly at: number; readonly key: string }[] = [];
  let lasting: { readonly since: number; readonly undone: number } | undefined;

  /** The mean time between the last five acts, milliseconds. */
  function meanGap(): number {
    const last = recent.slice(-sameAgain);
    const [first, end] = [last[0]?.at ?? 0, last.at(-1)?.at ?? 0];
    return last.length < 2 ? Number.POSITIVE_INFINITY : (end - first) / (last.length - 1);
  }

  function overAt(): number {
    return (
      (recent.at(-1)?.at ?? Number.NEGATIVE_INFINITY) + Math.min(quietMs.most, Math.max(quietMs.least, 3 * meanGap()))
    );
  }

  return {
    tampered(key, now) {
      recent = [...recent.filter(({ at }) => now - at <= windowMs), { at: now, key }].slice(-anyAgain);
      if (lasting !== undefined) {
        lasting = { ...lasting, undone: lasting.undone + 1 };
        return "goes on";
      }
      const same = recent.filter((act) => act.key === key);
      const acts = same.length >= sameAgain ? same : recent.length >= anyAgain ? recent : [];
      if (acts.length === 0) return "none";
      // From here on only these count: what came before, of another kind, says nothing of when this one is over.
      recent = acts;
      lasting = { since: acts[0]?.at ?? now, undone: acts.length };
      return "begins";
    },
    calm(now) {
      if (lasting === undefined || now < overAt()) return false;
      lasting = undefined;
      recent = [];
      return true;
    },
    current: () => lasting,
    overAt,
    isRapid: () => lasting !== undefined && meanGap() <= rapidMs,
  };
}
