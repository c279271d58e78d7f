import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackendError, systemClock } from "@ip-masq-agent/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type HttpServer, startServer } from "./http/server.ts";
import type { Fleet } from "./kubectl/fleet.ts";
import { status as fleetStatus } from "./kubectl/status.ts";
import { createRecorder } from "./kubernetes/recorder.ts";
import { hurried, json, openTestApi } from "./kubernetes/test-api.ts";
import { createLogger } from "./log.ts";
import { main } from "./main.ts";
import { outputTo } from "./output.ts";
import { pagesOf } from "./status/pages.ts";
import type { Status } from "./status/status.ts";
import { paintFor } from "./text/colour.ts";

/** Words that a config, a file's name, a tool or a process may bring, and that a terminal or a log must not obey. */
const vectors = [
  "\u001b[2J\u001b[31m",
  "a\nrules    in force",
  "a\r\u001b[Krules",
  "\u009b2J\u0085",
  "\u202egnp.exe\u2066",
  "a\u2028b\u2029",
  "\u0007\u0000\u007f",
  "\u200b\ufeff\u{e0041}",
];
const anything = vectors.join("");
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** The lines of a text, none of which may hold anything invisible, nor begin as a forged one would. */
function linesOf(text: string): readonly string[] {
  const lines = text.split("\n");
  for (const line of lines) {
    expect(line).not.toMatch(invisible);
    expect(line).not.toMatch(/^rules {4}in force$/);
  }
  return lines;
}

let directory: string;
let server: HttpServer | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-test-"));
});
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function run(...argv: readonly string[]): Promise<{ readonly out: string; readonly err: string }> {
  let [out, err] = ["", ""];
  const output = outputTo({
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    colour: false,
  });
  await main(argv, output);
  return { out, err };
}

/** An agent's state in which every text that comes from outside holds `foreign`. */
function stateOf(foreign: string): Status {
  const drift = { at: foreign, backend: foreign, family: "IPv4", kinds: foreign, total: 9 } as const;
  return {
    ...{ kind: "Statusz", apiVersion: "ip-masq-agent/v1alpha1", metadata: { name: "ip-masq-agent" }, paths: [] },
    ...{ startTime: "", uptimeSeconds: 1, binaryVersion: foreign, commit: foreign, nodeVersion: foreign },
    notReady: foreign,
    backend: {
      ...{ name: foreign, variant: foreign, toolVersion: foreign, why: foreign, protected: false },
      events: { state: "down", why: foreign },
    },
    config: {
      ...{ path: foreign, files: [foreign], warnings: [foreign], refused: [foreign], hash: foreign, loadedAt: foreign },
      watches: [{ object: foreign, state: "down", why: foreign, since: foreign }],
      missing: { since: foreign, inForce: "nothing", why: foreign },
    },
    families: [
      {
        ...{ family: "IPv4", exemptPrefixes: 0, syncs: { in_sync: 0, applied: 0, failed: 1 }, driftDetected: 0 },
        conflicts: 0,
        recent: [{ at: foreign, trigger: "hint", result: "failed", durationMs: 1, summary: foreign, error: foreign }],
      },
    ],
    drifts: [
      {
        ...drift,
        by: { process: foreign, pid: 1 },
        differences: [{ kind: "missing", subject: foreign, expected: foreign, found: foreign }],
      },
    ],
  };
}

describe("status", () => {
  const shows = async (foreign: string, ...words: readonly string[]) => {
    await server?.[Symbol.asyncDispose]();
    const pages = { given: new Map([["config", foreign]]), desired: () => undefined, status: () => stateOf(foreign) };
    server = await startServer({ host: "127.0.0.1", port: 0 }, pagesOf(pages), systemClock);
    const address = `127.0.0.1:${server.port}`;
    const page = await fetch(`http://${address}${words[0] ?? "/statusz"}`);
    return { page: await page.text(), ...(await run("status", `--metrics-address=${address}`, ...words.slice(1))) };
  };

  test.each([...vectors, anything])("%j forges no line, neither there nor on /statusz", async (foreign) => {
    const [plain, told] = [await shows("harmless"), await shows(foreign)];
    expect(linesOf(told.out)).toHaveLength(linesOf(plain.out).length);
    expect(linesOf(told.page)).toHaveLength(linesOf(plain.page).length);
  });

  test("nor on /flagz; and JSON has the words as they were, escaped", async () => {
    const { out, page } = await shows(anything, "/flagz", "-o", "json");
    expect(linesOf(page)).toHaveLength(linesOf((await shows("harmless", "/flagz", "-o", "json")).page).length);
    linesOf(out);
    expect(JSON.parse(out)).toEqual(stateOf(anything));
  });

  test("in colour, no colours but our own", () => {
    let text = "";
    const { out } = outputTo({ out: (more) => (text += more), err: () => {}, colour: true });
    out(paintFor(true).bad("\u001b[32mwell\u001b[0m"));
    expect(text).toBe("\u001b[31m\\u001b[32mwell\\u001b[0m\u001b[39m\n");
  });
});

describe("validate", () => {
  test.each([...vectors, anything])("%j in keys, values and names", async (foreign) => {
    const quoted = JSON.stringify(foreign);
    const harmless = JSON.stringify("harmless");
    const textOf = (word: string) =>
      `{${word}: 1, "nonMasqueradeCIDRs": ["10.0.0.0/8", ${word}], "resyncInterval": ${word}, "cidrLimit": ${word}}`;
    const file = join(directory, `config ${foreign.replaceAll(/[\0/]/g, "")}`);
    await writeFile(file, textOf(quoted));
    await writeFile(join(directory, "harmless"), textOf(harmless));
    const [told, plain] = [await run("validate", file), await run("validate", join(directory, "harmless"))];
    expect(linesOf(told.err)).toHaveLength(linesOf(plain.err).length);
    expect(told.err).toContain("error: ");
    await writeFile(file, `{${quoted}: ${quoted}}`);
    linesOf((await run("validate", file)).out);
    const { out } = await run("validate", file, "-o", "json");
    linesOf(out);
    expect(JSON.parse(out)).toMatchObject({ valid: true, findings: [{ code: "unknown-key" }] });
    linesOf((await run("validate", join(directory, foreign.replaceAll(/[\0/]/g, "")))).err);
  });
});

describe("the log", () => {
  const logged = (format: "json" | "text") => {
    let text = "";
    const logger = createLogger(
      { format, verbosity: 0 },
      {
        write(line) {
          text += line;
          return true;
        },
      },
    );
    const error = new BackendError({
      ...{ reason: "other", backend: "nftables", operation: "apply", message: anything, stderr: anything },
      cause: new Error(anything),
    });
    logger.error({ [anything]: anything, list: [anything], by: { process: anything }, err: error }, anything);
    logger.warn({ err: new Error(anything) }, anything);
    return text;
  };

  test("in text: one line for each, and nothing in it but what can be seen", () => {
    expect(linesOf(logged("text"))).toHaveLength(3);
  });

  test("in JSON: the same, and the words are what they were", () => {
    const lines = linesOf(logged("json"));
    expect(lines).toHaveLength(3);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ msg: anything, [anything]: anything });
  });
});

test("an Event's message is what can be seen", async () => {
  await using api = await openTestApi(({ response }) => json(response, 201, {}));
  const recorder = createRecorder({ api: api.api, node: "n1", clock: hurried(), onWritten() {}, onFailure() {} });
  recorder.tell({ reason: "DriftRepaired", type: "Warning", message: `by evil${anything} (pid 1)` });
  await recorder[Symbol.asyncDispose]();
  const [{ body } = { body: undefined }] = api.asked;
  const { message } = body as { readonly message: string };
  expect(message).toContain("by evil\\u001b[2J");
  expect(message).not.toMatch(invisible);
});

test("kubectl masq: what agents and the API server say forges no line", async () => {
  let text = "";
  const take = (more: string) => {
    text += more;
  };
  const screen = { ...outputTo({ out: take, err: take, colour: false }), live: false, overwrite() {} };
  const fleet: Fleet = {
    places: async () => ({ places: ["n1", "n2", "n3"].map((node) => ({ node, pod: node })), incomplete: anything }),
    place: async () => undefined,
    sender: () => Promise.reject(new Error("no")),
    async ask({ node }) {
      if (node === "n1") throw new Error(anything);
      if (node === "n2") return { exitCode: 1, stdout: "", stderr: anything };
      return { exitCode: 3, stdout: JSON.stringify(stateOf(anything)), stderr: "" };
    },
  };
  await fleetStatus({ fleet, parallel: 1, output: "text", screen });
  expect(linesOf(text)[0]).toContain("nodes without an agent are not shown: \\u001b[2J");
  text = "";
  await fleetStatus({ fleet, parallel: 1, output: "json", screen });
  linesOf(text.slice(text.indexOf("\n") + 1));
});
