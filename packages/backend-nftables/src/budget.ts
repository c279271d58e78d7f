import { getDefaultHighWaterMark, type Readable, setDefaultHighWaterMark } from "node:stream";
import type { Clock } from "@ip-masq-agent/core";

/**
 * Text read within a second; beyond it the reading rests until the second is over. nft then waits on its pipe, and the
 * kernel throws away what nft does not fetch: a program that writes 100,000 rules costs us one look a second.
 */
const budgetBytes = 256 * 1024;
const budgetMs = 1_000;

/**
 * nft writes line by line, and to read a piece costs as much as to look through a thousand lines: after so many pieces in
 * a second, the pipe is given the time to fill between one and the next.
 */
const fewPieces = 32;
const fillMs = 20;
/** With so many we read more slowly than nft writes, and what we read may be old. */
const behindPieces = 40;

export interface BoundedReading {
  readonly clock: Clock;
  onText(text: string): void;
  /** The reading rested, so something may have passed unread, or waits. */
  onGap(): void;
}

/**
 * Runs `open` while new streams are made to read no piece before the last one is taken: otherwise Node goes on reading
 * small pieces until it has 64 KiB of them. There is no such option for the streams of a child process.
 */
export function withoutReadAhead<T>(open: () => T): T {
  const usual = getDefaultHighWaterMark(false);
  setDefaultHighWaterMark(false, 1);
  try {
    return open();
  } finally {
    setDefaultHighWaterMark(false, usual);
  }
}

/** Reads a stream's text, no more than the budget allows. To be disposed of when the writer has ended. */
export function readWithinBudget(stream: Readable, { clock, onText, onGap }: BoundedReading): Disposable {
  let rest: Disposable | undefined;
  let windowStart = clock.monotonic();
  let [bytes, pieces] = [0, 0];

  /** All that has come so far, as one text: by itself a stream would hand it on in the pieces in which it came. */
  function take(): void {
    if (rest !== undefined) return;
    const text: unknown = stream.read();
    if (typeof text !== "string") return;
    const now = clock.monotonic();
    if (now - windowStart >= budgetMs) [windowStart, bytes, pieces] = [now, 0, 0];
    bytes += text.length;
    pieces++;
    onText(text);
    if (pieces === behindPieces) onGap();
    if (bytes >= budgetBytes) pause(windowStart + budgetMs - now, onGap);
    else if (pieces > fewPieces) pause(fillMs, () => {});
  }

  function pause(milliseconds: number, onResume: () => void): void {
    rest = clock.timer(milliseconds, () => {
      rest = undefined;
      onResume();
      take();
    });
  }

  stream.setEncoding("latin1");
  stream.on("readable", take);
  return { [Symbol.dispose]: () => rest?.[Symbol.dispose]() };
}
