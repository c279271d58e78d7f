import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@ip-masq-agent/core";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { type Instance, instanceIn, instanceLine } from "./instance.ts";
import { type InstanceLock, openInstanceLock } from "./instance-lock.ts";
import { askHolder } from "./lock-holder.ts";

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

let count = 0;
const freshName = () => `\0ip-masq-agent/test-${process.pid}-${count++}`;

interface Opened {
  readonly lock: InstanceLock;
  readonly lines: readonly string[];
  readonly stop: AbortController;
}

async function open(name: string, self: Partial<Instance> = {}): Promise<Opened> {
  const lines: string[] = [];
  const logger = pino(
    { base: null, formatters: { level: (level) => ({ level }) } },
    {
      write: (line: string) => {
        const { level, msg } = JSON.parse(line) as { level: string; msg: string };
        lines.push(`${level}: ${msg}`);
      },
    },
  );
  const stop = new AbortController();
  const lock = stack.use(
    await openInstanceLock({
      ...{ name, logger, clock: systemClock, signal: stop.signal, answerMs: 1_000 },
      self: () => ({ pid: process.pid, version: "1.2.3", ...self }),
    }),
  );
  return { lock, lines, stop };
}

async function isOurs({ lock }: Opened): Promise<boolean> {
  return Promise.race([lock.acquired.then(() => true), sleep(50).then(() => false)]);
}

/** A process that has the name and says this to whoever connects; nothing: is silent. */
async function holding(name: string, says?: string): Promise<ChildProcess> {
  const script = `const s = require("net").createServer((c) => { const t = process.argv[2]; if (t) c.write(t); c.on("error", () => {}); });
    s.listen(JSON.parse(process.argv[1]), () => console.log("listening"));`;
  const child = spawn(process.execPath, ["-e", script, JSON.stringify(name), says ?? ""], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  stack.defer(() => {
    child.kill("SIGKILL");
  });
  await once(child.stdout, "data");
  return child;
}

describe("one agent for each network namespace", () => {
  test("the second waits, each says it in one line, and the second takes over when the first ends", async () => {
    const name = freshName();
    const first = await open(name, { policy: "59811f988e14" });
    expect(await isOurs(first)).toBe(true);
    expect(first.lock.holder()).toBeUndefined();
    const second = await open(name, { pid: 8 });
    expect(await isOurs(second)).toBe(false);
    expect(second.lock.holder()).toBe(`pid ${process.pid}, version 1.2.3, policy 59811f988e14`);
    await sleep(200);
    expect(second.lines).toEqual([
      expect.stringMatching(/^error: another ip-masq-agent \(.*59811f988e14\) keeps the rules/),
    ]);
    expect(first.lines).toEqual([
      expect.stringMatching(/^warn: another ip-masq-agent \(pid 8, .*\) was started .* and waits/),
    ]);
    const ended = performance.now();
    await first.lock[Symbol.asyncDispose]();
    await second.lock.acquired;
    expect(performance.now() - ended).toBeLessThan(1_000);
    expect(second.lock.holder()).toBeUndefined();
    expect(second.lines.at(-1)).toBe("info: the other ip-masq-agent has ended; this one takes over");
  });

  test("of several that wait one takes over, and the others wait for that", async () => {
    const name = freshName();
    const first = await open(name, { pid: 1 });
    const waiting = await Promise.all([2, 3, 4].map((pid) => open(name, { pid })));
    await first.lock[Symbol.asyncDispose]();
    await Promise.race(waiting.map(({ lock }) => lock.acquired));
    await sleep(100);
    const ours = await Promise.all(waiting.map(isOurs));
    expect(ours.filter(Boolean)).toHaveLength(1);
    const winner = 2 + ours.indexOf(true);
    for (const [at, { lock }] of waiting.entries())
      expect(lock.holder()).toEqual(ours[at] ? undefined : expect.stringContaining(`pid ${winner}`));
  });

  test("a holder that is killed is noticed at once", async () => {
    const name = freshName();
    const child = await holding(name, instanceLine({ pid: 7, version: "0.9.0" }));
    const waiting = await open(name);
    expect(await isOurs(waiting)).toBe(false);
    const killed = performance.now();
    child.kill("SIGKILL");
    await waiting.lock.acquired;
    expect(performance.now() - killed).toBeLessThan(1_000);
  });

  test("who waits can be stopped, and is not in the way afterwards", async () => {
    const name = freshName();
    const first = await open(name);
    const second = await open(name);
    second.stop.abort();
    await second.lock.acquired;
    await second.lock[Symbol.asyncDispose]();
    expect(second.lines.filter((line) => line.includes("takes over"))).toEqual([]);
    await first.lock[Symbol.asyncDispose]();
    expect(await isOurs(await open(name))).toBe(true);
  });
});

describe("a name that is not held by an agent", () => {
  test.each([
    ["speaks otherwise", "hello\n"],
    ["speaks without end", "x".repeat(10_000)],
    ["says nothing", undefined],
  ])(
    "is no hindrance: it %s",
    async (_, says) => {
      const name = freshName();
      await holding(name, says);
      const opened = await open(name);
      expect(await isOurs(opened)).toBe(true);
      expect(opened.lines).toEqual([
        expect.stringContaining("is held by a process that does not answer; going on without it"),
      ]);
    },
    20_000,
  );

  test("where there are no such names, the agent works without", async () => {
    const opened = await open("/nonexistent/directory/socket");
    expect(await isOurs(opened)).toBe(true);
    expect(opened.lines).toEqual([expect.stringMatching(/^warn: whether another/)]);
  });

  test("a free name has no holder", async () => {
    expect(await askHolder(freshName(), undefined, new AbortController().signal)).toMatchObject({ kind: "gone" });
  });
});

describe("a holder to which many are connected", () => {
  test("is waited for, and told of", async () => {
    const name = freshName();
    const first = await open(name);
    for (let count = 0; count < 16; count++) {
      const socket = connect(name);
      stack.defer(() => {
        socket.destroy();
      });
      await once(socket, "data");
    }
    const second = await open(name);
    expect(await isOurs(second)).toBe(false);
    expect(second.lock.holder()).toBe("which takes no further connection");
    await first.lock[Symbol.asyncDispose]();
    await second.lock.acquired;
  });
});

describe("whoever connects", () => {
  test("cannot forge lines, fill the log, or use up the descriptors", async () => {
    const name = freshName();
    const first = await open(name);
    const lines = [
      "{}",
      "null",
      '{"kind":"ip-masq-agent","pid":"x","version":"1"}',
      "\u001b[2Jforged",
      "x".repeat(5_000),
    ];
    for (let round = 0; round < 20; round++) {
      for (const line of [...lines, instanceLine({ pid: round, version: "1.0.0" }).trim()]) {
        const socket = connect(name);
        socket.on("error", () => {});
        stack.defer(() => {
          socket.destroy();
        });
        socket.write(`${line}\n`);
      }
    }
    await sleep(300);
    expect(first.lines).toHaveLength(1);
    expect(first.lines[0]).toMatch(/^warn: another ip-masq-agent \(pid \d+, version 1\.0\.0, no policy yet\)/);
  });

  test("what an agent says is taken only where it is a number, a name or a version", () => {
    expect(instanceIn(instanceLine({ pid: 1, version: "1.0.0", pod: "ip-masq-agent-x2x4" }))).toEqual({
      ...{ pid: 1, version: "1.0.0", pod: "ip-masq-agent-x2x4" },
    });
    expect(instanceIn('{"kind":"ip-masq-agent","pid":1,"version":"1","host":"a\\nb","policy":{}}')).toEqual({
      ...{ pid: 1, version: "1" },
    });
    expect(instanceIn('{"kind":"ip-masq-agent","pid":1e99,"version":"1"}')).toBeUndefined();
    expect(instanceIn("[]")).toBeUndefined();
  });
});
