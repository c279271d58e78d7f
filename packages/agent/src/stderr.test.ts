import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "./log.ts";
import { openStderr } from "./stderr.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ip-masq-agent-stderr-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A pipe with a name: both ends are ours, and nothing reads it but `read`. */
function pipe(): { readonly writer: number; read(bytes: number): string } & Disposable {
  const file = join(directory, "pipe");
  execFileSync("mkfifo", [file]);
  const both = openSync(file, constants.O_RDWR);
  return {
    writer: both,
    read(bytes) {
      const buffer = Buffer.alloc(bytes);
      return buffer.subarray(0, readSync(both, buffer)).toString();
    },
    [Symbol.dispose]: () => closeSync(both),
  };
}

test("a pipe that nobody reads loses lines and never waits; whole lines come out, and the loss is told", () => {
  using full = pipe();
  const logger = createLogger({ format: "json", verbosity: 0 }, openStderr(full.writer));
  for (let at = 0; at < 2_000; at++) logger.info({ at, filling: "x".repeat(5_000) }, "line");
  let text = "";
  while (!text.includes('"msg":"line"}\n{') || !text.includes("lost")) {
    text += full.read(1 << 20);
    logger.info("after");
  }
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { msg: string; lines?: number });
  const lost = lines.find(({ msg }) => msg.includes("were lost"))?.lines ?? 0;
  expect(lost).toBeGreaterThan(1_000);
  expect(lines.filter(({ msg }) => msg === "line").length + lost).toBe(2_000);
});

test("a full device is no failure", () => {
  const fd = openSync("/dev/full", "w");
  expect(openStderr(fd).write("line\n")).toBe(false);
  closeSync(fd);
});

test("a file is appended to", async () => {
  const file = join(directory, "log");
  const script = `
    const { openStderr } = await import(${JSON.stringify(new URL("stderr.ts", import.meta.url).href)});
    console.error("first"); openStderr().write("second\\n"); console.error("third");`;
  const fd = openSync(file, "a");
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "ignore", fd] });
  await new Promise((resolve) => child.once("exit", resolve));
  closeSync(fd);
  expect(readFileSync(file, "utf8")).toBe("first\nsecond\nthird\n");
});
