import type { Clock, Family } from "@ip-masq-agent/core";
import { type Concern, createEventReader, type EventReader, type KernelChange } from "./event-text.ts";
import { createNotices } from "./notices.ts";
import { type Announcement, createOwnWrites } from "./own-writes.ts";

export interface AttributionOptions {
  readonly clock: Clock;
  readonly concern: Concern;
  /** Time between two notices of what cannot be attributed, in a flood of them, in milliseconds. */
  gapMs(): number;
  /** Somebody else changed rules of ours, or may have. */
  onChange(change: KernelChange): void;
  /** This nft has forgotten a set. */
  onForgotten(): void;
}

/** Who changed what, as far as what nft prints allows to tell: rules of ours, by us or by another program. */
export interface Attribution extends Disposable {
  /** For the output of one nft. */
  reader(): EventReader;
  /** Something was said on stderr. */
  complained(): void;
  /** Events may have passed unread. */
  lost(): void;
  /** nft listens from now on; what happened before is not known. */
  listening(): void;
  announce(family: Family, transactions: number): Announcement;
  /** Announced events will not come: nobody listens. */
  deaf(): void;
}

/** A complaint on stderr comes before its generation on stdout, but by another pipe. */
const complaintGraceMs = 50;

export function createAttribution({ clock, concern, gapMs, onChange, onForgotten }: AttributionOptions): Attribution {
  const notices = createNotices({ clock, gapMs, onChange });
  const own = createOwnWrites({
    clock,
    onUnseen: (family) => notices.changed({ families: new Set([family]) }),
    onClosed: () => notices.settle(),
  });

  return {
    reader: () =>
      createEventReader({
        concern,
        onChange(change) {
          const { others, displaced } = own.take(change.families);
          if (others.length > 0) notices.changed({ ...change, families: new Set(others) });
          if (displaced) notices.anything();
        },
        onUnattributed(by) {
          onForgotten();
          // Taken for ours, it is doubted all the same until our write is known to be through.
          if (own.takeUnattributed()) notices.doubt(undefined);
          else notices.anything(by);
        },
        onLoss: () => notices.anything(),
      }),
    complained() {
      onForgotten();
      notices.doubt(own.open() ? undefined : complaintGraceMs);
    },
    lost: () => notices.anything(),
    listening: () => notices.listening(),
    announce: own.announce,
    deaf: own.forgetAll,
    [Symbol.dispose]() {
      notices[Symbol.dispose]();
      own.forgetAll();
    },
  };
}
