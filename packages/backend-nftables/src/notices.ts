import { type Clock, type Culprit, type Family, families } from "@ip-masq-agent/core";
import type { KernelChange } from "./event-text.ts";

/** When whoever compares rules with the kernel is told to do so. */
export interface Notices extends Disposable {
  /** Rules of these families were changed. Told at once. */
  changed(change: KernelChange): void;
  /** Anything may have changed; `by` where it is known. Told at once, but in a flood no more often than the gap. */
  anything(by?: Culprit): void;
  /** nft has begun to listen, and what happened before is not known. Told at once. */
  listening(): void;
  /**
   * What nft says on stderr cannot be attributed yet. Families that are told of something else meanwhile are not told
   * again; the others are told after `graceMs`, or with `settle` where that is undefined.
   */
  doubt(graceMs: number | undefined): void;
  /** The time of doubt is over. */
  settle(): void;
}

export interface NoticesOptions {
  readonly clock: Clock;
  /** Time from one notice of what cannot be attributed to the next, in milliseconds, once there have been ten. */
  gapMs(): number;
  onChange(change: KernelChange): void;
}

/** Single acts are told at once, each of them. */
const inAdvance = 10;

export function createNotices({ clock, gapMs, onChange }: NoticesOptions): Notices {
  /** Each notice of what cannot be attributed takes one gap of time; so many may be taken in advance. */
  let takenUntil = Number.NEGATIVE_INFINITY;
  /** Families to be told when the gap is over, and whose change that is, where it is one program's. */
  const owed = new Set<Family>();
  let owedBy: Culprit | undefined;
  let gap: Disposable | undefined;
  const doubtful = new Set<Family>();
  let grace: Disposable | undefined;

  /** Whoever is told now reads the kernel after this: nothing that came before need be told again. */
  function tell(change: KernelChange): void {
    for (const family of change.families) {
      owed.delete(family);
      doubtful.delete(family);
    }
    if (owed.size === 0) cancelGap();
    onChange(change);
  }

  function cancelGap(): void {
    gap?.[Symbol.dispose]();
    gap = undefined;
  }

  function owe(more: Iterable<Family>, by?: Culprit): void {
    if (owed.size === 0) owedBy = by;
    // Several programs may have been at work: then nobody is named.
    else if (owedBy?.pid !== by?.pid) owedBy = undefined;
    for (const family of more) owed.add(family);
    const inMs = takenUntil - (inAdvance - 1) * gapMs() - clock.monotonic();
    if (inMs <= 0) pay();
    else gap ??= clock.timer(inMs, pay);
  }

  function pay(): void {
    takenUntil = Math.max(takenUntil, clock.monotonic()) + gapMs();
    tell({ families: new Set(owed), ...(owedBy && { by: owedBy }) });
  }

  function settle(): void {
    grace?.[Symbol.dispose]();
    grace = undefined;
    const rest = [...doubtful];
    doubtful.clear();
    if (rest.length > 0) owe(rest);
  }

  return {
    changed: tell,
    anything: (by) => owe(families, by),
    listening: () => tell({ families: new Set(families) }),
    doubt(graceMs) {
      for (const family of families) doubtful.add(family);
      if (graceMs !== undefined) grace ??= clock.timer(graceMs, settle);
    },
    settle,
    [Symbol.dispose]() {
      owed.clear();
      doubtful.clear();
      cancelGap();
      grace?.[Symbol.dispose]();
    },
  };
}
