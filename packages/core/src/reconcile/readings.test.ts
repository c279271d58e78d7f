import { expect, test } from "vitest";
import { createMemoryBackend } from "../memory-backend.ts";
import { first, startLoop } from "./test-loop.ts";

test("each reading of a pass has the time from its beginning to its end, and a pass that runs can be waited for", async () => {
  const memory = createMemoryBackend();
  const takesMs = 7;
  const { loop, clock, events } = await startLoop({
    backend: {
      ...memory,
      async observe(family, signal) {
        clock.advance(takesMs);
        return memory.observe(family, signal);
      },
    },
  });
  expect(loop.running("IPv4")).toBeUndefined();
  const began = clock.monotonic();
  loop.setPolicy(first, "start");
  const pass = loop.running("IPv4");
  expect(pass).toBeInstanceOf(Promise);
  expect(loop.running("IPv6")).toBeInstanceOf(Promise);
  await pass;
  expect(loop.running("IPv4")).toBeUndefined();
  const [end] = events.filter((event) => event.type === "synced");
  expect(end?.readings).toMatchObject([
    { startedAt: began, endedAt: began + takesMs },
    { startedAt: began + takesMs, endedAt: began + 2 * takesMs },
  ]);
  await loop.stop();
});
