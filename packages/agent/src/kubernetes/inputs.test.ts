import { mkdir, mkdtemp, open as openFile, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { interpret } from "../desired.ts";
import { parseCommandLine } from "../flags/options.ts";
import type { Inputs } from "../sources/inputs.ts";
import type { Snapshot } from "../sources/snapshot.ts";
import { watchedConfigMap } from "./config-map.ts";
import { copiedSnapshot } from "./copied.ts";
import { follow } from "./follow.ts";
import { openClusterInputs } from "./inputs.ts";
import { configMapObject, hurried, json, openTestApi } from "./test-api.ts";

const configMap = { namespace: "kube-system", name: "ip-masq-agent" } as const;
const good = "nonMasqueradeCIDRs: [10.0.0.0/8]";

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

function options(...flags: readonly string[]) {
  const line = parseCommandLine(flags);
  if ("problem" in line) throw new Error(line.problem);
  return line.options;
}

function exempt(snapshot: Snapshot | undefined, ...flags: readonly string[]): readonly string[] | undefined {
  const { desired } = snapshot ? interpret(snapshot, options(...flags)) : {};
  return desired?.config.nonMasqueradeCIDRs.map(
    ({ prefix, file }) => `${prefix.first >> 24n}/${prefix.length} ${file}`,
  );
}

/** Inputs over an API server that gives these objects, or nothing at all; and a way to tell of changes. */
async function open(objects: { configMap?: object; node?: object } | "silent", node?: string) {
  const watchers: ((type: string, object: object) => void)[] = [];
  const server = stack.use(
    await openTestApi(({ path, query, response }) => {
      if (objects === "silent") {
        response.destroy();
        return;
      }
      if (query.get("watch") === "true") {
        response.writeHead(200);
        response.flushHeaders();
        if (path.endsWith("configmaps"))
          watchers.push((type, object) => response.write(`${JSON.stringify({ type, object })}\n`));
        return;
      }
      const found = path.endsWith("nodes") ? objects.node : objects.configMap;
      json(response, 200, { metadata: { resourceVersion: "10" }, items: found === undefined ? [] : [found] });
    }),
  );
  const changes: Snapshot[] = [];
  const said: string[] = [];
  const inputs: Inputs = stack.use(
    await openClusterInputs({
      ...{ api: server.api, path: "", clock: hurried(), configMap, node, cacheDirectory: join(directory, "cache") },
      onChange: (snapshot) => changes.push(snapshot),
      onCopyTaken: (object, copiedAt) => said.push(`${object} of ${copiedAt}`),
      onCopyTrouble: (file) => said.push(`no copy at ${file}`),
      onCopyIgnored: (file, why) => said.push(`${file} ${why}`),
      keepIn: undefined,
      ...{ onTrouble() {}, onWatch() {}, onApiFailure() {} },
    }),
  );
  if (objects !== "silent") await expect.poll(() => watchers.length).toBeGreaterThan(0);
  return { inputs, changes, said, tell: (type: string, object: object) => watchers.at(-1)?.(type, object) };
}

const copyFile = () => join(directory, "cache", "config-map.json");

describe("the config through the API", () => {
  test("a change is a snapshot; what was accepted is what a restart in an outage begins with", async () => {
    const run = await open({ configMap: configMapObject(7, { config: good }) });
    expect(exempt(run.inputs.now())).toEqual(["10/8 configmap kube-system/ip-masq-agent[config]"]);
    run.tell("MODIFIED", configMapObject(11, { config: "nonMasqueradeCIDRs: [11.0.0.0/8]" }));
    await expect.poll(() => run.changes.length).toBe(1);
    run.inputs.accepted(run.inputs.now());
    await expect.poll(() => readFile(copyFile(), "utf8").catch(() => "")).toContain("11.0.0.0/8");

    const later = await open("silent");
    expect(exempt(later.inputs.now())).toEqual(["11/8 configmap kube-system/ip-masq-agent[config]"]);
    expect(later.said).toEqual([expect.stringContaining("configmap kube-system/ip-masq-agent of 20")]);
    expect(later.inputs.watches()[0]).toMatchObject({ copiedAt: expect.any(String) });
    const asked = options("--config-map=kube-system/ip-masq-agent", `--cache-dir=${join(directory, "cache")}`);
    expect(exempt(await copiedSnapshot(asked))).toEqual(exempt(later.inputs.now()));
  });

  test("a config that is not accepted does not take the place of the last good copy", async () => {
    const run = await open({ configMap: configMapObject(7, { config: good }) });
    run.inputs.accepted(run.inputs.now());
    await expect.poll(() => readFile(copyFile(), "utf8").catch(() => "")).toContain("10.0.0.0/8");
    run.tell("MODIFIED", configMapObject(11, { config: "nonMasqueradeCIDRs: [9.9.9.9/8]" }));
    await expect.poll(() => run.changes.length).toBe(1);
    expect(exempt(await run.inputs.lastGood())).toEqual(["10/8 configmap kube-system/ip-masq-agent[config]"]);
  });

  test("neither API nor copy: an error that says so, and no defaults; a copy that is broken, or another's, is none", async () => {
    const first = await open("silent");
    expect(first.inputs.now().error?.finding).toMatchObject({
      code: "api-silent",
      file: "configmap kube-system/ip-masq-agent",
    });
    await mkdir(join(directory, "cache"), { recursive: true });
    for (const text of [
      "{",
      "[]",
      '{"savedAt":"x"}',
      '{"savedAt":"x","of":"configmap a/b","object":{"data":{"config":""}}}',
    ]) {
      await writeFile(copyFile(), text);
      expect((await open("silent")).inputs.now().error?.finding.code).toBe("api-silent");
    }
  });

  test("deleted and made again, it was there all the time; deleted for good, the defaults", async () => {
    const run = await open({ configMap: configMapObject(7, { config: good }) });
    run.tell("DELETED", configMapObject(11, { config: good }));
    run.tell("ADDED", configMapObject(12, { config: good }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(run.changes).toEqual([]);
    run.tell("DELETED", configMapObject(13, { config: good }));
    await expect.poll(() => run.changes.length).toBe(1);
    expect(run.changes[0]).toMatchObject({ sources: [], error: undefined });
  });

  test.each([
    [{ config: "a", "ip-masq-agent": good }, "configmap kube-system/ip-masq-agent[ip-masq-agent]"],
    [{ other: good }, "has no key ip-masq-agent or config, but other"],
    [{}, "has no keys"],
  ])("keys %j", async (data, expected) => {
    const { inputs } = await open({ configMap: configMapObject(7, data) });
    const { sources, error } = inputs.now();
    expect(error?.finding.reason ?? sources[0]?.file).toBe(expected);
  });

  test("a ConfigMap that is not there: the defaults, and a warning that names it", async () => {
    const { inputs } = await open({ node: { metadata: { name: "n1", resourceVersion: "3" }, spec: {} } }, "n1");
    const { desired, findings } = interpret(inputs.now(), options());
    expect(desired?.policy.IPv4.exempt.prefixes.length).toBeGreaterThan(0);
    expect(findings.map(({ code, file }) => `${code} ${file}`)).toEqual([
      "no-config-map configmap kube-system/ip-masq-agent",
      "no-pod-cidrs node n1",
    ]);
  });

  test("what the API says while the copy is being read is what counts", async () => {
    const server = stack.use(
      await openTestApi(({ query, response }) => {
        if (query.get("watch") === "true") response.writeHead(200).flushHeaders();
        else
          setTimeout(() => {
            const items = [configMapObject(7, { config: "fresh" })];
            json(response, 200, { metadata: { resourceVersion: "10" }, items });
          }, 100);
      }),
    );
    const read = async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { copy: { savedAt: "2026-01-01T00:00:00Z", object: configMapObject(1, { config: "stale" }) } };
    };
    const following = stack.use(
      follow({
        ...{ api: server.api, object: watchedConfigMap(configMap), clock: hurried() },
        copy: { file: "", read, write: async () => {} },
        ...{ onChange() {}, onState() {}, onFailure() {}, onCopyIgnored() {} },
      }),
    );
    expect((await following.first)?.object).toMatchObject({ data: { config: "fresh" } });
  });

  test("where no copy can be kept it is said once, and all else goes on", async () => {
    await writeFile(join(directory, "cache"), "a file, not a directory");
    const run = await open({ configMap: configMapObject(7, { config: good }) });
    for (let at = 0; at < 3; at++) run.inputs.accepted(run.inputs.now());
    await expect.poll(() => run.said.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(run.said).toEqual([`no copy at ${copyFile()}`]);
  });
});

describe("the node's own pod ranges", () => {
  const node = (spec: object) => ({ metadata: { name: "n1", resourceVersion: "3" }, spec });
  const both = { podCIDRs: ["12.7.0.0/24", "fd00:12::/64"] };

  test("are exempt besides, those of a family that is off are not; the shared policy is without them", async () => {
    const { inputs } = await open({ configMap: configMapObject(7, { config: good }), node: node(both) }, "n1");
    expect(exempt(inputs.now())?.[1]).toBe("12/24 node n1, spec.podCIDRs");
    expect(exempt(inputs.now())).toHaveLength(2);
    expect(exempt(inputs.now(), "--enable-ipv6")).toHaveLength(3);
    const { desired } = interpret(inputs.now(), options());
    expect(desired?.policy.IPv4.exempt.prefixes).toHaveLength(3);
    expect(desired?.shared.IPv4.exempt.prefixes).toHaveLength(2);
  });

  test("a Node that is gone keeps its ranges, for a restart too", async () => {
    const config = configMapObject(7, { config: good });
    await open({ configMap: config, node: node(both) }, "n1");
    const copy = join(directory, "cache", "node.json");
    await expect.poll(() => readFile(copy, "utf8").catch(() => "")).toContain("12.7.0.0/24");
    const later = await open({ configMap: config }, "n1");
    expect(exempt(later.inputs.now())?.[1]).toBe("12/24 node n1, spec.podCIDRs");
    expect(later.said).toEqual([expect.stringContaining("node n1 of 20")]);
  });

  test("a Node that comes while its copy is read wins over the copy", async () => {
    let tellNode: ((object: object) => void) | undefined;
    const server = stack.use(
      await openTestApi(({ query, response }) => {
        if (query.get("watch") !== "true") {
          json(response, 200, { metadata: { resourceVersion: "10" }, items: [] });
          return;
        }
        response.writeHead(200).flushHeaders();
        tellNode = (object) => response.write(`${JSON.stringify({ type: "ADDED", object })}\n`);
      }),
    );
    const cacheDirectory = join(directory, "cache");
    await mkdir(cacheDirectory);
    await writeFile(join(directory, "ip-masq-agent"), good);
    // A pipe in the copy's place: the copy is being read for as long as nobody writes to it.
    await execa("mkfifo", [join(cacheDirectory, "node.json")], { timeout: 5_000 });
    const said: string[] = [];
    const opening = openClusterInputs({
      ...{
        api: server.api,
        path: join(directory, "ip-masq-agent"),
        clock: hurried(),
        configMap: undefined,
        node: "n1",
      },
      ...{ cacheDirectory, keepIn: undefined, onChange() {}, onTrouble() {}, onWatch() {}, onApiFailure() {} },
      ...{ onCopyTaken: () => said.push("copy taken"), onCopyTrouble() {}, onCopyIgnored() {} },
    });
    // Opens when the copy is being read.
    const pipe = await openFile(join(cacheDirectory, "node.json"), "w");
    await expect.poll(() => tellNode).toBeDefined();
    tellNode?.(node({ podCIDRs: ["13.7.0.0/24"] }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const old = { of: "node n1", savedAt: "2026-01-01T00:00:00Z", object: { spec: { podCIDRs: ["12.7.0.0/24"] } } };
    await pipe.writeFile(JSON.stringify(old));
    await pipe.close();
    const inputs = stack.use(await opening);
    expect(exempt(inputs.now())?.[1]).toBe("13/24 node n1, spec.podCIDRs");
    expect({ said, copiedAt: inputs.watches()[0]?.copiedAt }).toEqual({ said: [], copiedAt: undefined });
  });

  test("a Node that is not there is an error; one without ranges a warning", async () => {
    const config = configMapObject(7, { config: good });
    expect((await open({ configMap: config }, "n1")).inputs.now().error?.finding.code).toBe("no-node");
    const without = interpret((await open({ configMap: config, node: node({}) }, "n1")).inputs.now(), options());
    expect(without.desired).toBeDefined();
    expect(without.findings.map(({ code }) => code)).toEqual(["no-pod-cidrs"]);
  });
});
