import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { internalError, isVerbose } from "./internal-error.ts";

const file = fileURLToPath(new URL("./internal-error.ts", import.meta.url));

/** A program that fails so, in a process of its own. */
function failing(code: string, verbose = false): { status: number | null; stdout: string; stderr: string } {
  const script = `import { reportInternalErrors } from ${JSON.stringify(file)}; reportInternalErrors("p", ${verbose}); setTimeout(() => console.log("went on"), 200); ${code}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("an error that nobody catches: one line, where to report it, exit code 1", () => {
  test.each([
    ["thrown", `throw new TypeError("a\\nb");`, "TypeError: a b"],
    ["thrown later", `setTimeout(() => { throw new Error("late"); });`, "Error: late"],
    ["a promise rejected", `void Promise.reject(new RangeError("r"));`, "RangeError: r"],
    ["a promise rejected with no error", `void Promise.reject("why");`, "why"],
    ["a stream without a listener", `process.stdin.emit("error", new Error("stream"));`, "Error: stream"],
  ])("%s", (_, code, message) => {
    const { status, stdout, stderr } = failing(code);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr.split("\n")).toHaveLength(2);
    expect(stderr).toMatch(/^p: internal error: .*; please report it at .* \(--v=1 shows where\)\n$/);
    expect(stderr).toContain(message);
  });

  test("the stack on request", () => {
    const { status, stderr } = failing(`throw new Error("x");`, true);
    expect(status).toBe(1);
    expect(stderr.split("\n")[0]).toMatch(/^p: internal error: Error: x; please report it at [^(]*$/);
    expect(stderr).toContain("\n    at ");
  });
});

test("control characters in a message forge no lines", () => {
  const line = internalError("p", new Error("a\u001b[2J\u009b\u202eb\r\nINFO fine"), false);
  expect(line).toMatch(/^p: internal error: Error: a \[2J b INFO fine; please/);
});

test.each([
  [["--v=1"], true],
  [["-v", "2", "status"], true],
  [["--v=4", "--nonsense"], true],
  [["--v=0"], false],
  [["--v"], false],
  [["--version"], false],
  [[], false],
])("%j asks for the stack: %s", (argv, expected) => {
  expect(isVerbose(argv)).toBe(expected);
});
