import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { bytesText, describeEnd } from "./end.ts";
import { type ChildOptions, type ChildResult, runChild } from "./run.ts";

const mebibyte = 2 ** 20;

function shell(script: string, options: Partial<ChildOptions> = {}): Promise<ChildResult> {
  return runChild("sh", ["-c", script], { timeoutMs: 10_000, mostOutputBytes: mebibyte, ...options });
}

/** Whether a process is there and no zombie. */
async function lives(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !stat.includes(") Z ");
}

async function timed<T>(promise: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const started = performance.now();
  return { value: await promise, ms: performance.now() - started };
}

describe("a run to the end", () => {
  test("gives both outputs as they are, and the exit code", async () => {
    const { end, stdout, stderr } = await shell("echo ü; cat; echo no >&2; exit 3", { input: "a\nb" });
    expect({ end, stdout, stderr }).toEqual({
      end: { how: "exited", exitCode: 3 },
      stdout: "ü\na\nb",
      stderr: "no\n",
    });
  });

  test("a program that ends without reading its input is no failure", async () => {
    const { end } = await shell("exit 0", { input: "x".repeat(mebibyte) });
    expect(end).toEqual({ how: "exited", exitCode: 0 });
  });

  test("a signal and a program that is not there are told as such", async () => {
    expect((await shell("kill -SEGV $$")).end).toEqual({ how: "signalled", signal: "SIGSEGV" });
    const { end } = await runChild("/nonexistent/nft", [], { timeoutMs: 1_000, mostOutputBytes: 1 });
    expect(end).toMatchObject({ how: "not-started", code: "ENOENT" });
    expect(describeEnd(end)).toContain("ENOENT");
  });

  test("output of the largest size that is allowed is whole", async () => {
    const { end, stdout } = await shell(`head -c ${mebibyte} /dev/zero | tr '\\0' a`);
    expect(end).toEqual({ how: "exited", exitCode: 0 });
    expect(stdout).toBe("a".repeat(mebibyte));
  });
});

describe("too much", () => {
  test.each([
    ["stdout", "exec yes"],
    ["stdout", "yes & sleep 0.2"],
    ["stdout", "yes"],
    ["stderr", "exec yes >&2"],
    ["stderr", "yes >&2"],
  ] as const)("endless %s ends the program: %s", async (stream, script) => {
    const { value, ms } = await timed(shell(script));
    expect(value.end).toEqual({ how: "too-much-output", stream, mostBytes: mebibyte });
    expect(value.stdout).toBe("");
    expect(value.stderr.length).toBeLessThanOrEqual(8 * 1024);
    expect(ms).toBeLessThan(3_000);
    expect(describeEnd(value.end)).toBe(`more than 1 MiB on ${stream}`);
  });

  test("of a long complaint the first words are kept", async () => {
    const { end, stderr } = await shell("echo first >&2; head -c 100000 /dev/zero >&2; exit 1");
    expect(end).toEqual({ how: "exited", exitCode: 1 });
    expect(stderr).toHaveLength(8 * 1024);
    expect(stderr).toMatch(/^first\n/);
  });

  test("the numbers are told in the unit that fits", () => {
    expect([512, 8192, 64 * mebibyte].map(bytesText)).toEqual(["512 bytes", "8 KiB", "64 MiB"]);
  });
});

describe("the whole group ends", () => {
  // The grandchild's number is printed first, so that it can be looked for afterwards.
  const behind = (rest: string) => `sleep 1000 & echo $!; ${rest}`;

  test.each([
    ["when the time is up", { timeoutMs: 200 }, "timed-out"],
    ["when it is asked to", { signal: AbortSignal.timeout(200) }, "aborted"],
  ])("%s", async (_, options, how) => {
    const { value, ms } = await timed(shell(behind("wait"), options));
    expect(value.end.how).toBe(how);
    expect(ms).toBeLessThan(1_000);
    await expect.poll(() => lives(Number(value.stdout))).toBe(false);
  });

  test.each([
    ["closes its output and sleeps", "exec >&- 2>&-; sleep 1000"],
    ["prints slowly for ever", "while :; do echo x; sleep 0.05; done"],
    ["ignores SIGTERM", "trap '' TERM; sleep 1000"],
  ])("a program that %s is ended in time", async (_, script) => {
    const { value, ms } = await timed(shell(script, { timeoutMs: 300 }));
    expect(value.end).toEqual({ how: "timed-out" });
    expect(ms).toBeLessThan(1_500);
  });

  test("what holds the output open after its parent's end is not waited for, and ended", async () => {
    const { value, ms } = await timed(shell(behind("exit 0")));
    expect(value.end).toEqual({ how: "exited", exitCode: 0 });
    expect(ms).toBeLessThan(2_000);
    await expect.poll(() => lives(Number(value.stdout))).toBe(false);
  });

  test("so is what is left behind with its output closed", async () => {
    const { stdout } = await shell("sleep 1000 >&- 2>&- <&- & echo $!");
    await expect.poll(() => lives(Number(stdout))).toBe(false);
  });

  test("nothing is started for somebody who has already given up", async () => {
    const { end } = await shell("exit 0", { signal: AbortSignal.abort() });
    expect(end).toEqual({ how: "aborted" });
  });
});
