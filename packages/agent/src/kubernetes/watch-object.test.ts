import { afterEach, describe, expect, test } from "vitest";
import type { Api } from "./api.ts";
import type { ApiError } from "./api-error.ts";
import { watchedConfigMap } from "./config-map.ts";
import { recordOf } from "./object.ts";
import { type Asking, configMapObject, hurried, json, openTestApi, type TestApi } from "./test-api.ts";
import { type ObjectWatch, type WatchState, watchObject } from "./watch-object.ts";

let disposables: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of disposables.toReversed()) await one[Symbol.asyncDispose]();
  disposables = [];
});

interface Run {
  readonly server: TestApi;
  readonly seen: readonly (string | undefined)[];
  readonly states: readonly WatchState[];
  readonly failures: readonly ApiError[];
  readonly watches: () => readonly Asking[];
  readonly lists: () => readonly Asking[];
  readonly clock: ReturnType<typeof hurried>;
  readonly watch: ObjectWatch;
}

/** A watch of a ConfigMap, and an API server that answers lists and watches so. */
async function start(
  list: (asking: Asking, nth: number) => void,
  watched: (asking: Asking, nth: number) => void,
): Promise<Run> {
  let [lists, watches] = [0, 0];
  const server = await openTestApi((asking) => {
    if (asking.query.get("watch") === "true") watched(asking, ++watches);
    else list(asking, ++lists);
  });
  disposables.push(server);
  const [seen, states, failures]: [(string | undefined)[], WatchState[], ApiError[]] = [[], [], []];
  const clock = hurried();
  const watch = watchObject({
    ...{ api: server.api, object: watchedConfigMap({ namespace: "kube-system", name: "ip-masq-agent" }), clock },
    random: () => 0.5,
    onObject: (object) => seen.push(object && String(recordOf(object["data"])["config"])),
    onState: (state) => states.push(state),
    onFailure: (error) => failures.push(error),
  });
  disposables.push(watch);
  const of = (isWatch: boolean) => server.asked.filter(({ query }) => (query.get("watch") === "true") === isWatch);
  return { server, seen, states, failures, clock, watch, watches: () => of(true), lists: () => of(false) };
}

const listOf = (version: number, ...items: readonly object[]) => ({
  metadata: { resourceVersion: `${version}` },
  items,
});
const event = (asking: Asking, type: string, object: object) =>
  asking.response.write(`${JSON.stringify({ type, object })}\n`);
const open = (asking: Asking) => {
  asking.response.writeHead(200);
  asking.response.flushHeaders();
};
const bookmark = (version: number) => ({ metadata: { resourceVersion: `${version}`, name: "" } });

describe("watchObject", () => {
  test("the object at first, each change, its end; asks for one object, with bookmarks and an end in time", async () => {
    const run = await start(
      ({ response }) => json(response, 200, listOf(10, configMapObject(7, { config: "a" }))),
      (asking) => {
        open(asking);
        event(asking, "MODIFIED", configMapObject(11, { config: "b" }));
        event(asking, "DELETED", configMapObject(12, { config: "b" }));
        event(asking, "ADDED", configMapObject(13, { config: "c" }));
      },
    );
    await expect.poll(() => run.seen).toEqual(["a", "b", undefined, "c"]);
    const [asking] = run.watches();
    expect(asking?.path).toBe("/api/v1/namespaces/kube-system/configmaps");
    const query = Object.fromEntries(asking?.query ?? []);
    expect(query).toMatchObject({ fieldSelector: "metadata.name=ip-masq-agent", allowWatchBookmarks: "true" });
    expect(query).toMatchObject({ resourceVersion: "10", timeoutSeconds: "450" });
    expect(run.states).toEqual([{ up: true }]);
    expect(run.failures).toEqual([]);
  });

  test("broken off, it goes on from the last bookmark, without a list and without a word", async () => {
    const run = await start(
      ({ response }) => json(response, 200, listOf(10)),
      (asking, nth) => {
        open(asking);
        if (nth > 1) return;
        event(asking, "BOOKMARK", bookmark(99));
        setTimeout(() => run.server.breakOff(), 20);
      },
    );
    await expect.poll(() => run.watches().length).toBe(2);
    expect(run.watches()[1]?.query.get("resourceVersion")).toBe("99");
    expect(run.lists()).toHaveLength(1);
    await expect.poll(() => run.states).toEqual([{ up: true }, { up: true }]);
    expect(run.failures.map(({ reason }) => reason)).toEqual(["unreachable"]);
    expect(run.seen).toEqual([undefined]);
  });

  test.each(["as an answer", "as an event"])(
    "history that is gone, told %s, means a new list, and no trouble",
    async (how) => {
      const run = await start(
        ({ response }, nth) => json(response, 200, listOf(nth * 100, configMapObject(nth, { config: `${nth}` }))),
        (asking, nth) => {
          const status = { kind: "Status", code: 410, message: "too old resource version" };
          if (nth === 1 && how === "as an answer") json(asking.response, 410, status);
          else open(asking);
          if (nth === 1 && how === "as an event") event(asking, "ERROR", status);
        },
      );
      await expect.poll(() => run.seen).toEqual(["1", "2"]);
      await expect.poll(() => run.watches()[1]?.query.get("resourceVersion")).toBe("200");
      expect(run.states.every(({ up }) => up)).toBe(true);
      expect(run.failures.map(({ reason }) => reason)).toEqual(["gone"]);
    },
  );

  test("a right that is missing is told at once, in RBAC's words and the server's; given, the watch comes up", async () => {
    const message = 'configmaps is forbidden: User "x" cannot list resource "configmaps"';
    const run = await start(
      ({ response }, nth) =>
        nth <= 2 ? json(response, 403, { kind: "Status", message }) : json(response, 200, listOf(1)),
      open,
    );
    await expect.poll(() => run.states.at(-1)?.up).toBe(true);
    const [first] = run.states;
    expect(first).toMatchObject({ up: false, error: { reason: "forbidden" } });
    expect(first?.up === false && first.error.message).toBe(
      `may not list configmaps in namespace kube-system: it takes the verb list on configmaps (HTTP 403: ${message})`,
    );
  });

  test("a busy server is left alone for as long as it asks", async () => {
    const run = await start(
      ({ response }, nth) =>
        nth <= 2 ? json(response, 429, {}, { "retry-after": "7" }) : json(response, 200, listOf(1)),
      open,
    );
    await expect.poll(() => run.states.at(-1)?.up).toBe(true);
    const down = run.states.find(({ up }) => !up);
    expect(down?.up === false && down.retryInMs).toBe(7_000);
  });

  test.each([
    ["a proxy's page", (asking: Asking) => asking.response.end("<html>sorry</html>")],
    ["an end at once", (asking: Asking) => asking.response.end()],
    ["an object of another kind", (asking: Asking) => asking.response.end('{"type":"ADDED","object":7}\n')],
  ])("%s as a watch is no news, and is tried again ever more slowly", async (_, answer) => {
    const run = await start(
      ({ response }) => json(response, 200, listOf(10, configMapObject(7, { config: "a" }))),
      answer,
    );
    await expect.poll(() => run.failures.length, { timeout: 5_000 }).toBeGreaterThan(3);
    expect(run.seen).toEqual(["a"]);
    const waits = run.states.flatMap((state) => (state.up ? [] : [state.retryInMs]));
    expect(waits[1]).toBeGreaterThan(waits[0] ?? Number.POSITIVE_INFINITY);
  });

  test("a server that does not answer: told at the second failure, once up it is up", async () => {
    const run = await start(
      (asking, nth) => (nth <= 3 ? asking.response.destroy() : json(asking.response, 200, listOf(1))),
      open,
    );
    await expect.poll(() => run.states.at(-1)?.up).toBe(true);
    expect(run.failures).toHaveLength(3);
    expect(run.states.map(({ up }) => up)).toEqual([false, false, true]);
  });

  test("cut again and again after it has stood for long, as by a load balancer, it is never told as down", async () => {
    const run = await start(
      ({ response }) => json(response, 200, listOf(10)),
      (asking) => {
        open(asking);
        // Forty seconds by the hurried clock.
        setTimeout(() => asking.response.destroy(), 800);
      },
    );
    await expect.poll(() => run.failures.length, { timeout: 10_000 }).toBeGreaterThan(3);
    expect(run.states.every(({ up }) => up)).toBe(true);
    expect(run.lists()).toHaveLength(1);
  });

  test("asked to, it asks again at once, and does nothing where it watches", async () => {
    const run = await start(
      ({ response }, nth) =>
        nth === 1
          ? json(response, 429, { kind: "Status", message: "busy" }, { "retry-after": "3600" })
          : json(response, 200, listOf(10, configMapObject(7, { config: "a" }))),
      open,
    );
    await expect.poll(() => run.failures.length).toBe(1);
    await expect.poll(() => run.clock.pending()).toBeGreaterThan(0);
    run.watch.again();
    await expect.poll(() => run.seen).toEqual(["a"]);
    await expect.poll(() => run.watches().length).toBe(1);
    run.watch.again();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect({ lists: run.lists().length, watches: run.watches().length }).toEqual({ lists: 2, watches: 1 });
  });

  test("silence is no failure before the watch has outlived the time that it asked for", async () => {
    const asked: { silenceMs: number; seconds: number }[] = [];
    const api: Api = {
      call: async () => listOf(10),
      stream: ({ silenceMs, query, signal }) => {
        asked.push({ silenceMs, seconds: Number(query?.["timeoutSeconds"]) });
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    };
    const watch = watchObject({
      ...{ api, object: watchedConfigMap({ namespace: "n", name: "m" }), clock: hurried(), random: Math.random },
      ...{ onObject() {}, onState() {}, onFailure() {} },
    });
    disposables.push(watch);
    await expect.poll(() => asked.length).toBe(1);
    expect(asked[0]?.silenceMs).toBeGreaterThan((asked[0]?.seconds ?? Number.NaN) * 1000);
  });

  test("stopped, it leaves neither timer nor connection", async () => {
    const run = await start(({ response }) => json(response, 200, listOf(10)), open);
    await expect.poll(() => run.states.length).toBe(1);
    await run.watch[Symbol.asyncDispose]();
    expect(run.clock.pending()).toBe(0);
    await expect.poll(() => run.server.open()).toBe(0);
    const during = await start((asking) => asking.response.destroy(), open);
    await expect.poll(() => during.failures.length).toBeGreaterThan(0);
    await during.watch[Symbol.asyncDispose]();
    expect(during.clock.pending()).toBe(0);
  });
});
