import { describe, expect, test } from "vitest";
import { first, startLoop } from "./test-loop.ts";

describe("looks between resyncs", () => {
  test("come at their interval, or later where looking takes more than 1 % of the time", async () => {
    const poll = await startLoop({ driftCheckIntervalMs: 5_000 });
    poll.loop.setPolicy(first, "start");
    await poll.loop.idle();
    for (let round = 0; round < 3; round++) {
      poll.clock.advance(5_000);
      await poll.loop.idle();
    }
    expect(poll.synced()).toEqual(["start applied", "poll in_sync", "poll in_sync", "poll in_sync"]);
    poll.loop.setDriftCheckInterval(undefined);
    poll.clock.advance(59_999);
    await poll.clock.settle();
    expect(poll.synced()).toHaveLength(4);
    poll.clock.advance(1);
    await poll.loop.idle();
    expect(poll.synced().at(-1)).toBe("resync in_sync");
    await poll.loop.stop();
  });

  test("a look of 200 ms is made every 20 s", async () => {
    const poll = await startLoop({ driftCheckIntervalMs: 5_000 });
    const observe = poll.backend.observe;
    Object.assign(poll.backend, {
      observe: async (...words: Parameters<typeof observe>) => {
        const seen = await observe(...words);
        poll.clock.advance(200);
        return seen;
      },
    });
    poll.loop.setPolicy(first, "start");
    await poll.loop.idle();
    poll.clock.advance(19_999);
    await poll.clock.settle();
    expect(poll.synced()).toHaveLength(1);
    poll.clock.advance(1);
    await poll.loop.idle();
    expect(poll.synced().at(-1)).toBe("poll in_sync");
    await poll.loop.stop();
  });
});
