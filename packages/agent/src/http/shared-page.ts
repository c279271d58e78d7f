import type { Clock } from "@ip-masq-agent/core";

/** A page as it is sent. */
export interface Page {
  readonly body: Buffer;
  readonly contentType: string;
}

/**
 * Gives one page to all who ask at about the same time: the last one while it is younger than so many milliseconds, or
 * the one that is being made. To make it takes milliseconds of CPU, and whoever asks a thousand times a second is not to
 * have that of us.
 */
export function sharePage(
  make: () => Promise<{ readonly text: string; readonly contentType: string }>,
  clock: Clock,
): (maxAgeMs: number) => Promise<Page> {
  let last: (Page & { readonly madeAt: number }) | undefined;
  let making: Promise<Page> | undefined;

  async function makeNow(): Promise<Page> {
    try {
      const { text, contentType } = await make();
      last = { body: Buffer.from(text), contentType, madeAt: clock.monotonic() };
      return last;
    } finally {
      making = undefined;
    }
  }

  return async (maxAgeMs) => {
    if (last !== undefined && clock.monotonic() - last.madeAt < maxAgeMs) return last;
    making ??= makeNow();
    return making;
  };
}
