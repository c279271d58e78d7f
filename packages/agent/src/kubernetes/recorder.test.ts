import { describe, expect, test } from "vitest";
import type { Story } from "../running/story.ts";
import { createApi } from "./api.ts";
import { recordOf } from "./object.ts";
import { createRecorder } from "./recorder.ts";
import { type Asking, hurried, json, openTestApi } from "./test-api.ts";

const story = (reason: Story["reason"], message = "words"): Story => ({ reason, type: "Warning", message });

async function open(answer: (asking: Asking, nth: number) => void = ({ response }) => json(response, 201, {})) {
  let nth = 0;
  const server = await openTestApi((asking) => answer(asking, ++nth));
  const failures: string[] = [];
  const recorder = createRecorder({
    ...{ api: server.api, node: "n1", clock: hurried(), onWritten() {} },
    onFailure: (error, isNew) => failures.push(`${error.reason}${isNew ? " new" : ""}`),
  });
  return {
    ...{ server, recorder, failures },
    of: (method: string) => server.asked.filter((one) => one.method === method),
    async [Symbol.asyncDispose]() {
      await recorder[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("Events on the Node", () => {
  test("a thousand repairs are one Event, written twice, with their number", async () => {
    await using run = await open();
    run.recorder.tell(story("DriftRepaired"));
    await expect.poll(() => run.of("POST").length).toBe(1);
    for (let at = 1; at < 1000; at++) run.recorder.tell(story("DriftRepaired", `repair ${at}`));
    await expect.poll(() => run.of("PATCH").length, { timeout: 3_000 }).toBe(1);
    expect(run.of("POST")).toHaveLength(1);
    const [created] = run.of("POST");
    expect(created?.path).toBe("/api/v1/namespaces/default/events");
    expect(created?.body).toMatchObject({
      ...{ reason: "DriftRepaired", type: "Warning" },
      involvedObject: { kind: "Node", name: "n1", uid: "n1" },
      source: { component: "ip-masq-agent", host: "n1" },
    });
    const [patched] = run.of("PATCH");
    expect(patched?.path).toBe(`${created?.path}/${recordOf(recordOf(created?.body)["metadata"])["name"]}`);
    expect(patched?.body).toMatchObject({ count: 1000, message: "repair 999" });
  });

  test("each reason is an Event of its own, written at once", async () => {
    await using run = await open();
    for (const reason of ["ConfigRejected", "ConfigAccepted", "ApplyFailed"] as const) run.recorder.tell(story(reason));
    await expect.poll(() => run.of("POST").length).toBe(3);
    expect(run.of("PATCH")).toHaveLength(0);
  });

  test("an Event that the API server has forgotten is made anew", async () => {
    await using run = await open((asking) => json(asking.response, asking.method === "PATCH" ? 404 : 201, {}));
    run.recorder.tell(story("DriftRepaired"));
    await expect.poll(() => run.of("POST").length).toBe(1);
    for (let at = 1; at < 5; at++) run.recorder.tell(story("DriftRepaired"));
    await expect.poll(() => run.of("POST").length, { timeout: 3_000 }).toBe(2);
    expect(run.of("POST")[1]?.body).toMatchObject({ count: 5 });
    expect(run.failures).toEqual([]);
  });

  test("what cannot be written waits, is told once, and is written as one", async () => {
    await using run = await open(({ response }, nth) => json(response, nth <= 3 ? 403 : 201, { message: "no" }));
    for (let at = 0; at < 7; at++) run.recorder.tell(story("DriftRepaired"));
    await expect.poll(() => run.failures.length, { timeout: 3_000 }).toBe(3);
    await expect.poll(() => run.server.asked.length, { timeout: 3_000 }).toBe(4);
    expect(run.failures).toEqual(["forbidden new", "forbidden", "forbidden"]);
    expect(run.server.asked[3]?.body).toMatchObject({ count: 7 });
  });

  test("an Event whose creation was answered to nobody is not created twice", async () => {
    await using run = await open(({ method, response }, nth) => {
      if (nth === 1) response.destroy();
      else json(response, method === "POST" ? 409 : 200, { message: "already exists" });
    });
    run.recorder.tell(story("DriftRepaired"));
    await expect.poll(() => run.of("PATCH").length, { timeout: 3_000 }).toBe(1);
    expect(run.of("PATCH")[0]?.body).toMatchObject({ count: 1 });
    expect(run.failures).toEqual(["unreachable new"]);
  });

  test("a request that cannot even be made is a failure like others, tried again ever more slowly", async () => {
    const failures: string[] = [];
    const api = createApi(async () => ({ server: "nowhere:6443", options: async () => ({}), remedy: "" }));
    await using recorder = createRecorder({
      ...{ api, node: "n1", clock: hurried(), onWritten() {} },
      onFailure: (error) => failures.push(error.message),
    });
    recorder.tell(story("DriftRepaired"));
    await expect.poll(() => failures.length).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Five seconds by the hurried clock: the first tries are one, two and four apart.
    expect(failures.length).toBeLessThan(6);
    expect(failures[0]).toMatch(/could not create events in namespace default: .*nowhere:/);
  });

  test("what waits at the end is written, but not waited for", async () => {
    await using run = await open();
    run.recorder.tell(story("ConfigRejected"));
    await run.recorder[Symbol.asyncDispose]();
    expect(run.of("POST")).toHaveLength(1);
    await using silent = await open(() => {});
    silent.recorder.tell(story("ConfigRejected"));
    const from = performance.now();
    await silent.recorder[Symbol.asyncDispose]();
    expect(performance.now() - from).toBeLessThan(1_000);
  });

  test("a long message is cut, and nothing is written after the end", async () => {
    await using run = await open();
    run.recorder.tell(story("ConfigRejected", "x".repeat(5_000)));
    await expect.poll(() => run.of("POST").length).toBe(1);
    expect(String(recordOf(run.of("POST")[0]?.body)["message"])).toHaveLength(1_000);
    await run.recorder[Symbol.asyncDispose]();
    run.recorder.tell(story("ApplyFailed"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(run.server.asked).toHaveLength(1);
  });
});
