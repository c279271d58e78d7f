import { systemClock } from "@ip-masq-agent/core";
import pino from "pino";
import { expect, test } from "vitest";
import { ListenError } from "./listen.ts";
import { serveWhenPossible } from "./serve-when-possible.ts";

const short = () =>
  new ListenError("--metrics-address :1 cannot be used: listen EMFILE: too many open files :::1; set …");

function logged() {
  const lines: string[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(String(JSON.parse(line).msg)) });
  return { lines, logger };
}

/** A thousand times as fast as time. */
const clock: typeof systemClock = { ...systemClock, timer: (ms, callback) => systemClock.timer(ms / 1000, callback) };

test("at the limit of descriptors it says once what is short, and serves when there is room", async () => {
  const { lines, logger } = logged();
  let left = 3;
  let ended = 0;
  const server = {
    port: 1,
    ownLoopback: false,
    [Symbol.asyncDispose]: async () => {
      ended++;
    },
  };
  const serving = await serveWhenPossible({
    ...{ clock, logger },
    start: () => (left-- > 0 ? Promise.reject(short()) : Promise.resolve(server)),
  });
  expect(lines).toEqual([expect.stringContaining("too many open files; raise the limit (ulimit -n")]);
  await expect.poll(() => lines).toHaveLength(2);
  expect(lines[1]).toContain("serving /metrics");
  await serving[Symbol.asyncDispose]();
  expect(ended).toBe(1);
});

test("an address that cannot be had is an error, as before", async () => {
  const { logger } = logged();
  const taken = new ListenError("--metrics-address :1 is taken by another process");
  await expect(serveWhenPossible({ clock, logger, start: () => Promise.reject(taken) })).rejects.toBe(taken);
});

test("ended while it waits, it tries no more", async () => {
  const { logger } = logged();
  let tries = 0;
  const start = () => {
    tries++;
    return Promise.reject(short());
  };
  await (await serveWhenPossible({ clock: systemClock, logger, start }))[Symbol.asyncDispose]();
  expect(tries).toBe(1);
});
