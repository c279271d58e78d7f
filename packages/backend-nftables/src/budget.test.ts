import { PassThrough } from "node:stream";
import { systemClock } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { readWithinBudget } from "./budget.ts";

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test("a little is read at once; a flood in few pieces, within the budget, with a gap told; then it goes on", async () => {
  const stream = new PassThrough({ highWaterMark: 64 * 1024 });
  const sizes: number[] = [];
  let gaps = 0;
  using _reading = readWithinBudget(stream, {
    clock: systemClock,
    onText: (text) => sizes.push(text.length),
    onGap: () => {
      gaps++;
    },
  });
  stream.write("one line\n");
  await pause(5);
  expect(sizes).toEqual([9]);
  const chunk = "x".repeat(32 * 1024);
  const flood = setInterval(() => stream.write(chunk), 1);
  await pause(700);
  const total = () => sizes.reduce((sum, size) => sum + size, 0);
  // The budget, and what came with the last piece.
  expect(total()).toBeLessThan(256 * 1024 + 2 * 1024 * 1024);
  const before = total();
  await pause(100);
  expect(total()).toBe(before);
  await pause(500);
  clearInterval(flood);
  expect(total()).toBeGreaterThan(before);
  expect(gaps).toBeGreaterThan(0);
});
