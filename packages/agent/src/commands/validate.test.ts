import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../main.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-test-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function run(
  ...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let [out, err] = ["", ""];
  const code = await main(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    colour: false,
  });
  return { code, out, err };
}

test("a valid file: its policy, with where each prefix comes from", async () => {
  const file = join(directory, "config.yaml");
  await writeFile(file, "nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n  - fd00::/8\nresyncInterval: 90s\n");
  const { code, out, err } = await run("validate", file, "--enable-ipv6", "--to-ports=1024-2047");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain("every 1m30s");
  expect(out).toContain(`10.0.0.0/8  # ${file}:2`);
  expect(out).toContain("fe80::/10");
  expect(out).toContain("tcp, udp and sctp from ports 1024-2047");
});

test("an invalid directory: every problem of every file, and exit code 1", async () => {
  await writeFile(join(directory, "ip-masq-a"), "nonMasqueradeCIDRs: [10.1.2.3/8, nonsense]\n");
  await writeFile(join(directory, "ip-masq-b"), "resyncInterval: 5\n");
  const { code, out, err } = await run("validate", directory);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  for (const part of [
    "ip-masq-a:1: nonMasqueradeCIDRs[0]",
    "ip-masq-a:1: nonMasqueradeCIDRs[1]",
    "ip-masq-b:1: resyncInterval",
    "not valid, 3 errors",
  ]) {
    expect(err).toContain(part);
  }
});

test("warnings leave it valid, unless it is to be strict", async () => {
  const file = join(directory, "config.yaml");
  await writeFile(file, "masqLinkLokal: true\n");
  const lenient = await run("validate", file);
  expect(lenient.code).toBe(0);
  expect(lenient.err).toContain("masqLinkLocal is probably meant");
  expect((await run("validate", file, "--strict-config")).code).toBe(1);
});

test("wrong usage is exit code 2, with one line", async () => {
  const { code, out, err } = await run("--nope");
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err.split("\n")).toHaveLength(2);
});

test("help and version go to standard output", async () => {
  expect(await run("--help")).toMatchObject({ code: 0, err: "", out: expect.stringContaining("Usage:") });
  expect(await run("-h", "whatever")).toMatchObject({ code: 0 });
  expect(await run("--version")).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^ip-masq-agent \S+ \(commit \S+, node v24/),
  });
});
