import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const launcher = fileURLToPath(new URL("../launcher.sh", import.meta.url));

/** In place of the bundle: says what it was started with, and which signal ends it. */
const program = `if (process.argv[2] === "wait") {
  process.on("SIGTERM", () => process.exit(7));
  setTimeout(() => {}, 30_000);
}
console.log(JSON.stringify({ version: process.version, words: process.argv.slice(2), pid: process.pid }));
`;

let base: string;
let dist: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "ip-masq-agent launcher "));
  dist = join(base, "check out/packages/agent/dist");
  mkdirSync(dist, { recursive: true });
  mkdirSync(join(base, "check out/node_modules/node/bin"), { recursive: true });
  mkdirSync(join(base, "bin"));
  copyFileSync(launcher, join(dist, "ip-masq-agent"));
  writeFileSync(join(dist, "ip-masq-agent.js"), program);
  symlinkSync(process.execPath, join(base, "check out/node_modules/node/bin/node"));
});
afterEach(() => rmSync(base, { recursive: true }));

function start(file: string, words: readonly string[], cwd = "/", path = "/usr/bin:/bin"): SpawnSyncReturns<string> {
  return spawnSync(file, words, { cwd, encoding: "utf8", env: { PATH: path }, timeout: 20_000 });
}

test("runs the bundle beside it with the checkout's Node and the words as they are", () => {
  const { stdout, status } = start(join(dist, "ip-masq-agent"), ["a b", "", "--x='y'"]);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ version: process.version, words: ["a b", "", "--x='y'"] });
});

test("is found by PATH, by relative links to links, and from within its folder", () => {
  symlinkSync("packages/agent/dist/ip-masq-agent", join(base, "check out/ip-masq-agent"));
  symlinkSync("../check out/ip-masq-agent", join(base, "bin/ip-masq-agent"));
  symlinkSync(join(base, "bin/ip-masq-agent"), join(base, "absolute"));
  for (const { status, stdout, stderr } of [
    start("ip-masq-agent", ["1"], "/", `${join(base, "bin")}:/usr/bin:/bin`),
    start("./ip-masq-agent", ["1"], join(base, "check out")),
    start("./ip-masq-agent", ["1"], dist),
    start("sh", ["ip-masq-agent", "1"], dist),
    start(join(base, "absolute"), ["1"]),
  ]) {
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ words: ["1"], version: process.version });
  }
});

test("becomes the program: signals arrive, and its exit code is the launcher's", async () => {
  const child = spawn(join(dist, "ip-masq-agent"), ["wait"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  expect(JSON.parse(String(line))).toMatchObject({ pid: child.pid });
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([7, null]);
});

test("without the checkout's Node the one in PATH runs; without any it says what to do", () => {
  rmSync(join(base, "check out/node_modules"), { recursive: true });
  symlinkSync(process.execPath, join(base, "bin/node"));
  expect(start(join(dist, "ip-masq-agent"), ["1"], "/", `${join(base, "bin")}:/usr/bin:/bin`)).toMatchObject({
    status: 0,
  });
  rmSync(join(base, "bin/node"));
  for (const tool of ["sh", "readlink", "dirname", "basename"])
    symlinkSync(`/usr/bin/${tool}`, join(base, "bin", tool));
  const { status, stderr, stdout } = start(join(dist, "ip-masq-agent"), ["1"], "/", join(base, "bin"));
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^ip-masq-agent: Node 24 is needed, .*\n$/);
});
