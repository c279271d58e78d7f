import type { Clock, Family } from "@ip-masq-agent/core";

/** Transactions of our own, whose events are no news. Disposed of where nothing was written after all. */
export interface Announcement extends Disposable {
  /** They are in the kernel; events that still do not come were lost. */
  written(): void;
}

/**
 * Our own transactions, counted off against the kernel's events. A process id is no help: nft prints the host's, not our
 * container's. An event that names a family counts off a transaction of that family. One that names none (a generation
 * without lines) counts off any, until an event that names the family claims it.
 */
export interface OwnWrites {
  announce(family: Family, transactions: number): Announcement;
  /** Which of these families were not changed by us, and whether an earlier generation without lines was not ours after all. */
  take(families: Iterable<Family>): { readonly others: readonly Family[]; readonly displaced: boolean };
  /** Whether a generation without lines can be one of ours. */
  takeUnattributed(): boolean;
  /** A write of ours is under way, or ended less than 500 ms ago: what cannot be attributed may be its doing. */
  open(): boolean;
  forgetAll(): void;
}

export interface OwnWritesOptions {
  readonly clock: Clock;
  /** An announced event has not come: it was lost, or another program's event was taken for it. */
  onUnseen(family: Family): void;
  /** One write of ours is open no longer: what was taken for its doing may have been another's. */
  onClosed(): void;
}

/** An event of ours that has not come after this long is lost, and may have been taken for somebody else's. */
const ownMs = 500;

/** Announced transactions of one write. */
interface Write {
  readonly family: Family;
  /** Events that have not come yet. */
  missing: number;
  /** Generations without lines that were counted off for it. */
  unattributed: number;
  timer: Disposable | undefined;
}

export function createOwnWrites({ clock, onUnseen, onClosed }: OwnWritesOptions): OwnWrites {
  const writes = new Set<Write>();

  function find(passes: (write: Write) => boolean): Write | undefined {
    return [...writes].find(passes);
  }

  function takeUnattributed(): boolean {
    const write = find(({ missing }) => missing > 0);
    if (write === undefined) return false;
    write.missing--;
    write.unattributed++;
    return true;
  }

  /** Whether an event of this family is ours, and whether that shows an earlier generation not to have been. */
  function claim(family: Family): { readonly ours: boolean; readonly displaced: boolean } {
    const write = find((one) => one.family === family && one.missing > 0);
    if (write !== undefined) {
      write.missing--;
      return { ours: true, displaced: false };
    }
    const taken = find((one) => one.family === family && one.unattributed > 0);
    if (taken === undefined) return { ours: false, displaced: false };
    taken.unattributed--;
    return { ours: true, displaced: !takeUnattributed() };
  }

  function close(write: Write): void {
    write.timer?.[Symbol.dispose]();
    if (writes.delete(write)) onClosed();
  }

  return {
    announce(family, transactions) {
      const write: Write = { family, missing: transactions, unattributed: 0, timer: undefined };
      writes.add(write);
      return {
        written() {
          if (!writes.has(write)) return;
          write.timer = clock.timer(ownMs, () => {
            if (write.missing > 0) onUnseen(family);
            close(write);
          });
        },
        [Symbol.dispose]: () => close(write),
      };
    },
    take(families) {
      const claims = [...families].map((family) => ({ family, ...claim(family) }));
      return {
        others: claims.filter(({ ours }) => !ours).map(({ family }) => family),
        displaced: claims.some(({ displaced }) => displaced),
      };
    },
    takeUnattributed,
    open: () => writes.size > 0,
    forgetAll() {
      for (const write of writes) close(write);
    },
  };
}
