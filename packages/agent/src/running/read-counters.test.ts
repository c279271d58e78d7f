import { type Counters, noCounters, systemClock } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { counterReader } from "./read-counters.ts";

/** A reader whose pass and whose kernel are in the test's hands. */
function readerIn() {
  const asked: PromiseWithResolvers<{ readonly counters: Counters }>[] = [];
  const state = { pass: undefined as Promise<void> | undefined };
  const read = counterReader({
    backend: {
      observe() {
        const answer = Promise.withResolvers<{ readonly counters: Counters }>();
        asked.push(answer);
        return answer.promise.then((seen) => ({ ...seen, family: "IPv4", present: true, policy: undefined }));
      },
    },
    clock: systemClock,
    signal: AbortSignal.timeout(10_000),
    running: () => state.pass,
  });
  return { asked, state, read };
}

test("a reading is stamped from before its beginning to after its end", async () => {
  const { asked, read } = readerIn();
  const before = performance.now();
  const reading = read("IPv4");
  await Promise.resolve();
  const between = performance.now();
  asked[0]?.resolve({ counters: noCounters });
  const { startedAt = 0, endedAt = 0 } = (await reading) ?? {};
  expect(startedAt).toBeGreaterThanOrEqual(before);
  expect(startedAt).toBeLessThanOrEqual(between);
  expect(endedAt).toBeGreaterThanOrEqual(between);
});

test("while a pass runs nothing is read beside it", async () => {
  const { asked, state, read } = readerIn();
  const pass = Promise.withResolvers<void>();
  state.pass = pass.promise;
  const reading = read("IPv4");
  await new Promise(setImmediate);
  expect(asked).toHaveLength(0);
  state.pass = undefined;
  pass.resolve();
  await new Promise(setImmediate);
  asked[0]?.resolve({ counters: noCounters });
  expect(await reading).toMatchObject({ counters: noCounters });
});

test("a reading in which a pass began is given up for the pass's own", async () => {
  const { asked, state, read } = readerIn();
  const reading = read("IPv4");
  await Promise.resolve();
  state.pass = Promise.resolve();
  asked[0]?.resolve({ counters: noCounters });
  expect(await reading).toBeUndefined();
});

test("a reading that fails is none", async () => {
  const { asked, read } = readerIn();
  const reading = read("IPv4");
  await Promise.resolve();
  asked[0]?.reject(new Error("no nft"));
  expect(await reading).toBeUndefined();
});
