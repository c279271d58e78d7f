import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { configLimits } from "@ip-masq-agent/core";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseCommandLine } from "../flags/options.ts";
import { main } from "../main.ts";
import { outputTo } from "../output.ts";
import { validate } from "./validate.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-test-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function run(
  ...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
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
  const code = await main(argv, output);
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

test("few source ports are a warning here, in JSON too", async () => {
  const file = join(directory, "config.yaml");
  await writeFile(file, "{}");
  const { code, err } = await run("validate", file, "--to-ports=2000-2099");
  expect(code).toBe(0);
  expect(err).toMatch(/^warning: --to-ports: "2000-2099": has 100 ports in all, .*; give at least 1000 ports.*\n$/);
  const json = JSON.parse((await run("validate", file, "--to-ports=2000-2099", "-o", "json")).out) as object;
  expect(json).toMatchObject({ valid: true, findings: [{ severity: "warning", code: "few-ports" }] });
});

test("help and version go to standard output", async () => {
  expect(await run("--help")).toMatchObject({ code: 0, err: "", out: expect.stringContaining("Usage:") });
  expect(await run("-h", "whatever")).toMatchObject({ code: 0 });
  const help = (await run("--help")).out;
  for (const words of [["help"], ["run", "--help"], ["run", "help"], ["help", "run"]]) {
    expect(await run(...words)).toEqual({ code: 0, err: "", out: help });
  }
  const ofPlan = (await run("plan", "--help")).out;
  expect(ofPlan).toContain("--script");
  for (const words of [
    ["help", "plan"],
    ["plan", "help"],
  ])
    expect(await run(...words)).toEqual({ code: 0, err: "", out: ofPlan });
  for (const words of [["--version"], ["version"]]) {
    expect(await run(...words)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^ip-masq-agent \S+ \(commit \S+, node v24/),
    });
  }
});

describe("a path that was named and does not exist", () => {
  const good = "nonMasqueradeCIDRs: [10.0.0.0/8]\n";

  test("is an error in one line; with the file it names, the remedy, it is none", async () => {
    const file = join(directory, "typo.yaml");
    // The agent reads `config` in the place of `ip-masq-agent`, and of nothing else.
    await writeFile(join(directory, "config"), good);
    expect(await run("validate", file)).toEqual({
      code: 1,
      out: "",
      err: `error: ${file}: does not exist; check the path\n`,
    });
    await writeFile(file, good);
    expect(await run("validate", file)).toMatchObject({ code: 0, err: "" });
  });

  test("the same for --config, whose remedies are tried", async () => {
    const flag = `--config=${join(directory, "typo.yaml")}`;
    const err = `error: ${join(directory, "typo.yaml")}: does not exist; create it, or correct --config\n`;
    expect(await run("validate", flag)).toEqual({ code: 1, out: "", err });
    expect(await run("plan", flag)).toEqual({ code: 1, out: "", err });
    await writeFile(join(directory, "right.yaml"), good);
    expect(await run("validate", `--config=${join(directory, "right.yaml")}`)).toMatchObject({ code: 0, err: "" });
    await writeFile(join(directory, "typo.yaml"), good);
    expect(await run("validate", flag)).toMatchObject({ code: 0, err: "" });
  });

  test("JSON says it too", async () => {
    const { code, out } = await run("validate", "-o", "json", join(directory, "typo.yaml"));
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ valid: false, findings: [{ code: "no-config" }] });
  });
});

describe("standard input", () => {
  const line = parseCommandLine(["validate", "-"]);
  const asked = async (input: AsyncIterable<string> & { isTTY?: boolean }) => {
    let text = "";
    const write = (more: string) => {
      text += more;
    };
    if ("problem" in line) throw new Error(line.problem);
    const output = outputTo({ out: write, err: write, colour: false });
    return { code: await validate("-", line.options, output, input), text };
  };
  const program = fileURLToPath(new URL("../start.ts", import.meta.url));

  test.each(["-", "/dev/stdin"])("%s is read from a pipe to its end", async (path) => {
    const ended = await execa(process.execPath, [program, "validate", path], {
      ...{ input: "nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n", reject: false, timeout: 20_000 },
    });
    expect(ended).toMatchObject({ exitCode: 0, stderr: "" });
    expect(ended.stdout).toContain("10.0.0.0/8  # standard input:2");
  });

  test("a terminal is wrong usage; the remedy is a pipe or a file, as the tests beside this one", async () => {
    const terminal = Object.assign(Readable.from([]), { isTTY: true });
    expect(await asked(terminal)).toEqual({
      code: 2,
      text: "ip-masq-agent: standard input is a terminal; pipe a config into it, or name a file\n",
    });
  });

  test("what never ends is read to the limit and refused", async () => {
    let given = 0;
    async function* endless() {
      for (;;) {
        given += 65_536;
        yield "#".repeat(65_536);
      }
    }
    const { code, text } = await asked(endless());
    expect(code).toBe(1);
    expect(text).toContain("error: standard input: ");
    expect(given).toBeLessThan(configLimits.bytes + 200_000);
  });
});

describe("a ConfigMap's manifest", () => {
  const manifest = (text: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ip-masq-agent\ndata:\n  ip-masq-agent: |\n${text}`;

  test("is validated by its key", async () => {
    const file = join(directory, "cm.yaml");
    await writeFile(file, manifest("    nonMasqueradeCIDRs:\n      - 20.0.0.0/8\n"));
    const good = await run("validate", file);
    expect(good).toMatchObject({ code: 0, err: "" });
    expect(good.out).toContain(`20.0.0.0/8  # ${file}[ip-masq-agent]:8`);
    await writeFile(file, manifest("    nonMasqueradeCIDRs:\n      - 10.1.2.3/8\n"));
    const bad = await run("validate", file);
    expect(bad.code).toBe(1);
    expect(bad.err).toContain(`error: ${file}[ip-masq-agent]:8: nonMasqueradeCIDRs[0] "10.1.2.3/8"`);
  });

  test("of a value that is no text, no defaults are shown", async () => {
    const file = join(directory, "cm.yaml");
    await writeFile(file, manifest("").replace("|", ""));
    expect(await run("validate", file)).toMatchObject({ code: 1, out: "" });
    expect(JSON.parse((await run("validate", file, "-o", "json")).out)).toMatchObject({ valid: false });
  });

  test("in the place of the agent's own config is an error, and validate takes it as its remedy says", async () => {
    const file = join(directory, "ip-masq-agent");
    await writeFile(file, manifest("    nonMasqueradeCIDRs: [20.0.0.0/8]\n"));
    const { code, err } = await run("plan", `--config=${file}`);
    expect(code).toBe(1);
    expect(err).toContain(`${file}:2: kind "ConfigMap": makes the file a manifest of Kubernetes`);
    expect(err).toContain("the command validate reads a whole manifest");
    expect(await run("validate", file)).toMatchObject({ code: 0 });
  });
});
