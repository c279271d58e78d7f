import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transform } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleInto } from "../bundle.ts";
import { isTooOld, refusal } from "../src/old-node.ts";

const files = ["ip-masq-agent.js", "ip-masq-agent-kubernetes.mjs", "kubectl-masq.js"] as const;

/** Programs called node in PATH that are older than what is needed: the one that a machine came with, as a rule. */
function oldNodes(): readonly string[] {
  const found = (process.env["PATH"] ?? "").split(":").map((folder) => join(folder, "node"));
  return [...new Set(found)].filter((file) => {
    try {
      accessSync(file, constants.X_OK);
    } catch {
      return false;
    }
    return isTooOld(spawnSync(file, ["--version"], { encoding: "utf8" }).stdout.trim());
  });
}

const old = oldNodes();
if (old.length === 0)
  process.stderr.write(
    "no Node older than 24 is in PATH: the bundles are tried with a version made up, and read as of ES 2020\n",
  );

/** To be loaded by --import: the version that Node says it has. */
const madeUp = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.1.0"}})`;

let checkout: string;
let dist: string;
beforeAll(async () => {
  checkout = join(mkdtempSync(join(tmpdir(), "ip-masq-agent-dist-")), "a check out");
  dist = join(checkout, "packages/agent/dist");
  await bundleInto(dist);
  writeFileSync(join(dist, "../package.json"), '{"type":"module"}');
  mkdirSync(join(checkout, "node_modules/node/bin"), { recursive: true });
  symlinkSync(process.execPath, join(checkout, "node_modules/node/bin/node"));
});
afterAll(() => rmSync(dirname(checkout), { recursive: true }));

function run(...[file = "", ...words]: readonly string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr, error } = spawnSync(file, words, { encoding: "utf8", timeout: 30_000 });
  if (error !== undefined) throw error;
  return { code: status, out: stdout, err: stderr };
}

describe.each(files)("%s", (file) => {
  const name = file.replace(/\.js$/, "");

  test("refuses a version made up, in one line that names the Node to use", () => {
    const { code, out, err } = run(process.execPath, "--import", madeUp, join(dist, file), "--version");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toBe(
      `${name}: needs Node 24 or newer, and this is Node 18.1.0 (${process.execPath}); start it with ${checkout}/node_modules/node/bin/node (${process.version})\n`,
    );
  });

  test.skipIf(old.length === 0)("refuses the old Node that is there, also without extension and package", () => {
    const copy = join(dirname(checkout), name);
    if (file.endsWith(".js")) copyFileSync(join(dist, file), copy);
    for (const node of old) {
      for (const started of [join(dist, file), ...(file.endsWith(".js") ? [copy] : [])]) {
        const { code, out, err } = run(node, started, "--version");
        expect({ started, code, out }).toEqual({ started, code: 2, out: "" });
        expect(err).toMatch(
          new RegExp(`^${name}: needs Node 24 or newer, and this is Node [\\d.]+ \\(.*\\); start it with .*\\n$`),
        );
      }
    }
  });

  test("can be read by Node 12: nothing in it has to be rewritten for that", async () => {
    const text = readFileSync(join(dist, file), "utf8");
    const [asItIs, rewritten] = await Promise.all(
      ["esnext", "node12.20"].map(async (target) => (await transform(text, { target })).code),
    );
    expect(rewritten === asItIs).toBe(true);
  });
});

test("programs run where they have no extension, and in a package of modules", () => {
  for (const name of ["ip-masq-agent", "kubectl-masq"]) {
    const copy = join(dirname(checkout), `${name}-copy`);
    copyFileSync(join(dist, `${name}.js`), copy);
    for (const file of [copy, join(dist, `${name}.js`)]) {
      const { code, out, err } = run(process.execPath, file, "--help");
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toContain("Usage:");
    }
  }
});

describe("where a newer Node is", () => {
  const machine = { version: "20.20.2", execPath: "/usr/bin/node", path: "relative:/opt/old:/opt/new" };
  const versions: Readonly<Record<string, string>> = {
    "/opt/old/node": "v22.0.0",
    "/opt/new/node": "v26.1.0",
    "/c/node_modules/node/bin/node": "v24.21.0",
  };
  const versionOf = (file: string) => versions[file];

  test.each([
    [
      "the workspace's own",
      { file: "/c/packages/agent/dist/ip-masq-agent.js", versionOf },
      "start it with /c/node_modules/node/bin/node (v24.21.0)",
    ],
    ["in PATH", { file: "/usr/local/bin/kubectl-masq", versionOf }, "start it with /opt/new/node (v26.1.0)"],
    [
      "in the image",
      { file: "/x", versionOf: (file: string) => (file === "/usr/bin/node" ? "v24.0.0" : undefined) },
      "start it with /usr/bin/node (v24.0.0)",
    ],
    ["nowhere", { file: "/x", versionOf: () => undefined }, "no other was found: install Node 24"],
  ])("%s", (_, own, remedy) => {
    expect(refusal("p", { ...machine, ...own })).toBe(
      `p: needs Node 24 or newer, and this is Node 20.20.2 (/usr/bin/node); ${remedy}`,
    );
  });
});

test.each([
  ["12.22.12", true],
  ["v23.11.1", true],
  ["24.0.0", false],
  ["v100.1.0", false],
  ["nonsense", true],
])("version %s is too old: %s", (version, expected) => {
  expect(isTooOld(version)).toBe(expected);
});
