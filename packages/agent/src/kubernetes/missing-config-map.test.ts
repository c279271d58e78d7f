import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { optionsOf, startProcess, type TestProcess } from "../running/test-process.ts";
import { openClusterInputs } from "./inputs.ts";
import { configMapObject, hurried, json, openTestApi } from "./test-api.ts";

const configMap = { namespace: "kube-system", name: "ip-masq-agent" } as const;
const defaults = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16";
const config = (cidr: string) => ({ config: `nonMasqueradeCIDRs: [${cidr}]` });

let directory: string;
let stack: AsyncDisposableStack;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-test-"));
  stack = new AsyncDisposableStack();
});
afterEach(async () => {
  await stack.disposeAsync();
  await rm(directory, { recursive: true, force: true });
});

interface Run extends TestProcess {
  /** Tells of a change. */
  tell(type: "ADDED" | "MODIFIED" | "DELETED", version: number, data: Record<string, string>): void;
}

/** An agent that watches the ConfigMap, which is there or not when it starts. */
async function start(object: object | undefined, ...flags: readonly string[]): Promise<Run> {
  let watcher: ((line: object) => void) | undefined;
  const server = stack.use(
    await openTestApi(({ query, response }) => {
      if (query.get("watch") !== "true") {
        json(response, 200, { metadata: { resourceVersion: "10" }, items: object === undefined ? [] : [object] });
        return;
      }
      response.writeHead(200).flushHeaders();
      watcher = (line) => response.write(`${JSON.stringify(line)}\n`);
    }),
  );
  const options = optionsOf("--config-map=kube-system/ip-masq-agent", `--cache-dir=${directory}`, ...flags);
  const run = await startProcess(options, (inputs) =>
    openClusterInputs({
      ...{ ...inputs, api: server.api, clock: hurried(), configMap, node: undefined, cacheDirectory: directory },
      ...{ onWatch() {}, onApiFailure() {}, onCopyTaken() {} },
    }),
  );
  stack.use(run);
  await expect.poll(() => watcher).toBeDefined();
  return { ...run, tell: (type, version, data) => watcher?.({ type, object: configMapObject(version, data) }) };
}

const missing = (run: TestProcess) => run.gauge("config_missing");
const isMissing = (run: TestProcess, value: number) => expect.poll(() => missing(run), { timeout: 5_000 }).toBe(value);
const copied = (text: string) =>
  expect.poll(() => readFile(join(directory, "config-map.json"), "utf8").catch(() => "")).toContain(text);

describe("a watched ConfigMap", () => {
  test("that is not there: the defaults by default, and its absence is told", async () => {
    const run = await start(undefined);
    expect(run.exempt()).toBe(defaults);
    expect(await missing(run)).toBe(1);
    expect(run.wishes.status()).toMatchObject({
      missing: {
        inForce: "defaults",
        why: expect.stringContaining("name the ConfigMap that there is with --config-map"),
      },
    });
    run.tell("ADDED", 11, config("20.0.0.0/8"));
    await isMissing(run, 0);
    expect(run.exempt()).toBe("20.0.0.0/8");
    expect(run.stories).toEqual(["ConfigMissing", "ConfigFound"]);
  });

  test("deleted: the defaults; an empty key is the remedy that is named", async () => {
    const run = await start(configMapObject(7, config("20.0.0.0/8")));
    run.tell("DELETED", 11, config("20.0.0.0/8"));
    await isMissing(run, 1);
    expect(run.exempt()).toBe(defaults);
    expect(run.wishes.status().missing?.why).toContain(
      "an empty key ip-masq-agent means the defaults without this warning",
    );
    run.tell("ADDED", 12, { "ip-masq-agent": "" });
    await isMissing(run, 0);
    expect(run.exempt()).toBe(defaults);
    expect(run.wishes.status().warnings).toEqual([]);
  });

  test("deleted and made again within two seconds was there all the time", async () => {
    const run = await start(configMapObject(7, config("20.0.0.0/8")));
    run.tell("DELETED", 11, config("20.0.0.0/8"));
    run.tell("ADDED", 12, config("20.0.0.0/8"));
    // Two seconds are 40 ms here.
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(run.stories).toEqual([]);
    expect(run.log.filter((line) => line.startsWith("warn"))).toEqual([]);
    expect(run.exempt()).toBe("20.0.0.0/8");
  });

  test("keep: deleted, the last good one stays, over a restart too", async () => {
    const run = await start(configMapObject(7, config("20.0.0.0/8")), "--missing-config=keep");
    await copied("20.0.0.0/8");
    run.tell("DELETED", 11, config("20.0.0.0/8"));
    await isMissing(run, 1);
    expect(run.exempt()).toBe("20.0.0.0/8");
    await run[Symbol.asyncDispose]();
    const later = await start(undefined, "--missing-config=keep");
    expect(later.exempt()).toBe("20.0.0.0/8");
    expect(later.wishes.status()).toMatchObject({ copiedAt: expect.any(String), missing: { inForce: "last-good" } });
    expect(await missing(later)).toBe(1);
    await later[Symbol.asyncDispose]();
    await writeFile(join(directory, "config-map.json"), "{");
    const last = await start(undefined, "--missing-config=keep");
    expect(last.exempt()).toBe(defaults);
    expect(last.log[0]).toContain("is damaged: it is not JSON");
  });

  test("fail: a start waits for it, and deleted later it is kept; a restart waits", async () => {
    const run = await start(undefined, "--missing-config=fail");
    expect(run.exempt()).toBeUndefined();
    run.tell("ADDED", 11, config("20.0.0.0/8"));
    await isMissing(run, 0);
    await copied("20.0.0.0/8");
    run.tell("DELETED", 12, config("20.0.0.0/8"));
    await isMissing(run, 1);
    expect(run.exempt()).toBe("20.0.0.0/8");
    await run[Symbol.asyncDispose]();
    expect((await start(undefined, "--missing-config=fail")).exempt()).toBeUndefined();
  });
});
