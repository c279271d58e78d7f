import { type Clock, retryDelay } from "@ip-masq-agent/core";
import type { Logger } from "pino";

/** Sees to it that tables whose owner died are owned again soon, and not in a rush where owners keep dying. */
export interface HolderWatch extends Disposable {
  lost(): void;
}

const pace = { firstMs: 10, capMs: 60_000 } as const;
/** An owner that lived so long was well; the next loss is a first one again. */
const wellAfterMs = 60_000;

export function createHolderWatch(clock: Clock, logger: Logger, adopt: () => void): HolderWatch {
  let losses = 0;
  let lastAt = Number.NEGATIVE_INFINITY;
  let timer: Disposable | undefined;
  return {
    lost() {
      const now = clock.monotonic();
      losses = now - lastAt > wellAfterMs ? 1 : losses + 1;
      lastAt = now;
      logger.warn({ losses }, "the process that protects our tables has ended; they stay, and are adopted again");
      timer?.[Symbol.dispose]();
      timer = clock.timer(retryDelay(losses, { ...pace, random: Math.random }), adopt);
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  };
}
