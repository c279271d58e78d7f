import { describe, expect, test } from "vitest";
import { outputTo } from "../output.ts";
import type { Status } from "../status/status.ts";
import { doctor } from "./doctor.ts";
import { explain } from "./explain.ts";
import { parsePluginLine } from "./flags.ts";
import type { Fleet, Place } from "./fleet.ts";
import { gather } from "./gather.ts";
import type { Screen } from "./progress.ts";
import { status } from "./status.ts";
import { summaryOf } from "./summary.ts";

interface Told {
  readonly backend?: string;
  readonly hash?: string;
  readonly notReady?: string;
  readonly missing?: string;
  readonly drifts?: number;
}

const statusOf = ({
  backend = "nftables",
  hash = "aaaaaaaaaaaa",
  notReady,
  missing,
  drifts = 0,
}: Told): Partial<Status> =>
  JSON.parse(
    JSON.stringify({
      ...{ kind: "Statusz", binaryVersion: "1.0.0", notReady, families: [] },
      backend: { name: backend, variant: "", toolVersion: "1.1.3" },
      config: {
        path: "",
        files: [],
        hash,
        warnings: ["w"],
        watches: [],
        ...(missing && { missing: { why: missing } }),
      },
      drifts: Array.from({ length: drifts }, () => ({ at: new Date().toISOString() })),
    }),
  ) as Partial<Status>;

/** A cluster whose agents say so; a text in place of an answer is why there is none. */
function made(nodes: Readonly<Record<string, Told | string>>) {
  const [out, err]: [string[], string[]] = [[], []];
  const screen: Screen = {
    ...outputTo({ out: (text) => out.push(text), err: (text) => err.push(text), colour: false }),
    live: false,
    overwrite: (text) => err.push(`\r\x1b[K${text}`),
  };
  const words: string[] = [];
  const fleet: Fleet = {
    places: async () => ({ places: Object.keys(nodes).map((node): Place => ({ node, pod: `agent-${node}` })) }),
    place: async (node) =>
      node in nodes || node === "n1" ? { node, ...(node in nodes && { pod: `agent-${node}` }) } : undefined,
    sender: async (namespace, name) => ({
      ...{ namespace, name, node: "n1", hostNetwork: name === "host" },
      addresses: ["10.1.0.5", "fd00::5"],
    }),
    async ask({ node }, asked) {
      words.push(asked.join(" "));
      const told = nodes[node];
      if (typeof told === "string") throw new Error(told);
      const findings = [{ level: told?.notReady ? "error" : "ok", check: "kernel", what: "it" }];
      if (asked[0] === "doctor") return { exitCode: 0, stdout: JSON.stringify({ findings }), stderr: "" };
      if (asked[0] === "explain") return { exitCode: 3, stdout: "exempt\n", stderr: "" };
      return { exitCode: told?.notReady ? 3 : 0, stdout: JSON.stringify(statusOf(told ?? {})), stderr: "" };
    },
  };
  const question = { fleet, parallel: 2, output: "text", screen } as const;
  return { question, fleet, screen, words, text: () => out.join(""), errors: () => err.join("") };
}

test("a node whose config is missing says so below its row, once", async () => {
  const why = "/c: does not exist any more, so the last good config stays in force; create it again";
  const run = made({ n1: { missing: why }, n2: { missing: why, notReady: why } });
  await status(run.question);
  expect(
    run
      .text()
      .split("\n")
      .filter((line) => line.trim() === why),
  ).toHaveLength(2);
});

test("how old a drift is, the agent says: neither its wall clock nor ours may be right", () => {
  const status = statusOf({ drifts: 3 }) as Status;
  const drifts = [
    { ...status.drifts[0], at: "1999-01-01T00:00:00Z", ageSeconds: 60 },
    { ...status.drifts[0], at: new Date().toISOString(), ageSeconds: 4_000 },
    { ...status.drifts[0], at: new Date().toISOString() },
  ] as Status["drifts"];
  expect(summaryOf({ ...status, drifts }, Date.now()).drifts).toBe(2);
});

describe("status", () => {
  test("a row for each node; all alike and in sync is 0", async () => {
    const run = made({ n1: { drifts: 3 }, n2: { drifts: 50 } });
    expect(await status(run.question)).toBe(0);
    expect(run.text()).toMatch(/^n1 +nftables 1\.1\.3 +aaaaaaaaaaaa +in sync +3 +1$/m);
    expect(run.text()).toMatch(/^n2 .* in sync +50\+ +1$/m);
    expect(run.text()).toContain("2 nodes: 2 in sync\n");
  });

  test("who differs from the majority, who does not answer, who is not in sync: 3", async () => {
    const odd = { backend: "iptables-nft", hash: "bbbbbbbbbbbb", notReady: "the rules are not in force" };
    const run = made({ n1: {}, n2: {}, n3: odd, n4: "nothing came in 5 s" });
    expect(await status(run.question)).toBe(3);
    expect(run.text()).toContain("n3: policy bbbbbbbbbbbb; the majority has aaaaaaaaaaaa");
    expect(run.text()).toContain("n3: backend iptables-nft; the majority has nftables");
    expect(run.text()).toMatch(/^n4 +no answer: nothing came in 5 s$/m);
    expect(run.text()).toContain("the rules are not in force");
    expect(run.text()).toContain("4 nodes: 2 in sync, 1 without an answer");
  });

  test("among equals there is no majority", async () => {
    const run = made({ n1: {}, n2: { hash: "bbbbbbbbbbbb" } });
    expect(await status(run.question)).toBe(3);
    for (const line of ["n1: policy aaaaaaaaaaaa; there is no", "n2: policy bbbbbbbbbbbb; there is no"])
      expect(run.text()).toContain(line);
  });

  test("JSON has every node, in order, and nothing else on standard output", async () => {
    const run = made({ n1: {}, n2: "gone" });
    expect(await status({ ...run.question, output: "json" })).toBe(3);
    expect(JSON.parse(run.text())).toMatchObject({
      nodes: [
        { node: "n1", backend: "nftables", drifts: 0, warnings: 1, inSync: true },
        { node: "n2", problem: "gone" },
      ],
      differences: [],
    });
  });

  test("a line that tells how far it is, on a terminal only, gives way to each row", async () => {
    const run = made({ n1: {}, n2: {} });
    await status(run.question);
    expect(run.errors()).toBe("");
    await status({ ...run.question, screen: { ...run.screen, live: true } });
    expect(run.errors()).toContain("1/2 nodes have answered\r\x1b[K");
  });

  test("no agents: 1, and where to look", async () => {
    const run = made({});
    expect(await status(run.question)).toBe(1);
    expect(run.errors()).toContain("--agent-namespace");
  });
});

describe("explain and doctor", () => {
  const packet = { namespace: "default", pod: "web", more: ["--protocol=tcp"] };

  test("the pod's address of the destination's family is the sender's; the exit code is the agent's", async () => {
    const run = made({ n1: {} });
    expect(await explain({ ...run.question, ...packet, destination: "fd01::1" })).toBe(3);
    expect(run.words).toEqual(["explain fd01::1 --from=fd00::5 --as-agent --output=text --protocol=tcp"]);
    expect(run.text()).toBe("pod default/web (fd00::5) on n1, says agent-n1:\nexempt\n");
  });

  test("a pod on its node's network is not asked after, and one without an agent beside it neither", async () => {
    const run = made({ n2: {} });
    expect(await explain({ ...run.question, ...packet, pod: "host", destination: "9.9.9.9" })).toBe(1);
    expect(await explain({ ...run.question, ...packet, destination: "9.9.9.9" })).toBe(1);
    expect(run.errors()).toContain("uses its node's network");
    expect(run.errors()).toContain("n1, the pod's node: no agent runs there");
  });

  test("doctor: an error anywhere is 1, silence 3, all well 0; one node or all", async () => {
    expect(await doctor({ ...made({ n1: {}, n2: { notReady: "x" } }).question, node: undefined })).toBe(1);
    expect(await doctor({ ...made({ n1: {}, n2: "gone" }).question, node: undefined })).toBe(3);
    expect(await doctor({ ...made({ n1: {}, n2: "gone" }).question, node: "n1" })).toBe(0);
    const run = made({ n1: {} });
    expect(await doctor({ ...run.question, node: "n9" })).toBe(1);
    expect(run.errors()).toBe("there is no node n9\n");
  });
});

test("gather asks so many at a time, and gives each answer when it comes", async () => {
  let [running, most] = [0, 0];
  const order: number[] = [];
  for await (const result of gather([30, 1, 10, 2], 2, async (ms) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, ms * 3));
    running--;
    if (ms === 10) throw new Error("ten");
    return ms;
  })) {
    order.push(result.item);
    expect("problem" in result).toBe(result.item === 10);
  }
  expect(most).toBe(2);
  expect(order).toEqual([1, 10, 2, 30]);
});

test.each([
  [["status", "x"], "use: kubectl masq status"],
  [["explain", "pod"], "use: kubectl masq explain POD DEST"],
  [["restart"], 'unknown command "restart"'],
  [["status", "--timeout=soon"], '--timeout "soon"'],
  [["status", "--parallel=0"], "is not a number from 1 to 256"],
  [["status", "--contxt=a"], "did you mean --context?"],
])("%j is refused", (argv, problem) => {
  expect(parsePluginLine(argv)).toEqual({ problem: expect.stringContaining(problem) });
});

test.each([
  [["statsu"], 'unknown command "statsu"; did you mean status?'],
  [["help", "doctr"], 'unknown command "doctr"; did you mean doctor?'],
  [["start"], "use status, explain POD DEST or doctor [NODE]"],
  [["status", "--kubecofnig=a"], "unknown flag --kubecofnig; did you mean --kubeconfig?"],
  [["status", "--v=high"], '--v "high" is not a whole number'],
])("%j is refused, with what is meant", (argv, problem) => {
  expect(parsePluginLine(argv)).toEqual({ problem: expect.stringContaining(problem) });
});

test("help and version are commands beside --help and --version", () => {
  for (const argv of [
    [],
    ["help"],
    ["help", "status"],
    ["status", "help"],
    ["--help"],
    ["nonsense", "-h"],
    ["explain", "help"],
  ])
    expect(parsePluginLine(argv)).toMatchObject({ command: "help" });
  for (const argv of [["version"], ["--version"]]) expect(parsePluginLine(argv)).toMatchObject({ command: "version" });
});

test("flags have kubectl's short names", () => {
  expect(parsePluginLine(["explain", "a", "b", "-n", "shop", "-o", "json"])).toMatchObject({
    ...{ command: "explain", words: ["a", "b"] },
    options: { namespace: "shop", output: "json", agentNamespace: "kube-system", timeoutMs: 20_000, parallel: 16 },
  });
});
