import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Options } from "../flags/flag.ts";
import { optionsOf, startProcess, type TestProcess } from "./test-process.ts";

const defaults = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16";

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

const file = () => join(directory, "etc", "ip-masq-agent");
const copyFile = () => join(directory, "cache", "config.json");

/** A start with the path given by name, or as the default path is. */
async function start(how: "named" | "default", ...flags: readonly string[]): Promise<TestProcess> {
  const options: Options = {
    ...optionsOf(`--config=${file()}`, `--cache-dir=${join(directory, "cache")}`, ...flags),
    configGiven: how === "named",
  };
  return stack.use(await startProcess(options));
}

async function write(cidr: string): Promise<void> {
  await mkdir(join(directory, "etc"), { recursive: true });
  await writeFile(join(directory, "next"), `nonMasqueradeCIDRs: ["${cidr}"]\n`);
  await rename(join(directory, "next"), file());
}

const gone = () => rm(file());
const missing = (run: TestProcess) => run.gauge("config_missing");
const becomes = (run: TestProcess, exempt: string) => expect.poll(() => run.exempt(), { timeout: 5_000 }).toBe(exempt);
const isMissing = (run: TestProcess, value: number) => expect.poll(() => missing(run), { timeout: 5_000 }).toBe(value);

describe("--missing-config=defaults", () => {
  test("a path that is named is waited for; later gone it means the defaults: each told once, and its end", async () => {
    const run = await start("named");
    expect(run.exempt()).toBeUndefined();
    expect(await missing(run)).toBe(1);
    // What is not there was not refused: one alert, not two.
    expect(await run.gauge("config_last_reload_successful")).toBe(1);
    const why = `${file()}: does not exist; create it, or correct --config`;
    expect(run.wishes.status()).toMatchObject({ missing: { inForce: "nothing", why } });
    expect(run.log).toEqual([`warn ${why}; until there is a config the kernel is left as it is`]);

    await write("20.0.0.0/8");
    await becomes(run, "20.0.0.0/8");
    expect(await missing(run)).toBe(0);
    expect(run.wishes.status().missing).toBeUndefined();

    await gone();
    await becomes(run, defaults);
    expect(await missing(run)).toBe(1);
    const { missing: status } = run.wishes.status();
    expect(status).toMatchObject({
      inForce: "defaults",
      why: expect.stringContaining("does not exist any more, so the defaults"),
    });
    expect(run.log.filter((line) => line === `warn ${status?.why}`)).toHaveLength(1);

    await write("21.0.0.0/8");
    await becomes(run, "21.0.0.0/8");
    await gone();
    await becomes(run, defaults);
    expect(run.stories).toEqual(["ConfigMissing", "ConfigFound", "ConfigMissing", "ConfigFound", "ConfigMissing"]);

    // A start does not know that there was one.
    const later = await start("named");
    expect(later.exempt()).toBeUndefined();
  });

  test("an empty file is the remedy that the warning names: the defaults without it", async () => {
    await write("20.0.0.0/8");
    const run = await start("named");
    await gone();
    await becomes(run, defaults);
    expect(run.wishes.status().missing?.why).toContain("an empty file means the defaults without this warning");
    await writeFile(file(), "");
    await isMissing(run, 0);
    expect(run.exempt()).toBe(defaults);
    expect(run.wishes.status()).toMatchObject({ files: [file()], warnings: [] });
  });

  test("the default path without a file is no matter, said in one line; gone it is, until the next start", async () => {
    const run = await start("default");
    expect(run.exempt()).toBe(defaults);
    expect(run.log.filter((line) => line.includes(file()))).toEqual([
      `info ${file()} does not exist: the defaults are in force`,
    ]);
    expect(await missing(run)).toBe(0);
    await write("20.0.0.0/8");
    await becomes(run, "20.0.0.0/8");
    expect(run.stories).toEqual([]);
    await gone();
    await isMissing(run, 1);
    expect(run.exempt()).toBe(defaults);
    const later = await start("default");
    expect(await missing(later)).toBe(0);
    expect(later.exempt()).toBe(defaults);
  });

  test("gone, then broken: it exists, and is refused; the defaults stay, and are called so", async () => {
    await write("20.0.0.0/8");
    const run = await start("named");
    await gone();
    await becomes(run, defaults);
    await write("nonsense");
    await isMissing(run, 0);
    expect(run.exempt()).toBe(defaults);
    expect(run.wishes.status().refused).toHaveLength(1);
    expect(run.log).toContain("error the config is not valid: the defaults stay in force");
    expect(run.stories).toEqual(["ConfigMissing", "ConfigFound", "ConfigRejected"]);
  });

  test("no copy is kept", async () => {
    await write("20.0.0.0/8");
    const run = await start("named");
    await run[Symbol.asyncDispose]();
    await expect(stat(copyFile())).rejects.toThrow("ENOENT");
  });
});

describe("--missing-config=keep", () => {
  const keep = "--missing-config=keep";

  test("gone, back, gone, and restarts in between: the last good one, from a copy that is root's alone", async () => {
    await write("20.0.0.0/8");
    const run = await start("named", keep);
    expect(await missing(run)).toBe(0);
    await gone();
    await isMissing(run, 1);
    expect(run.exempt()).toBe("20.0.0.0/8");
    expect(run.wishes.status().missing).toMatchObject({ inForce: "last-good" });
    expect(run.stories).toEqual(["ConfigMissing"]);
    expect((await stat(copyFile())).mode & 0o777).toBe(0o600);
    await run[Symbol.asyncDispose]();

    const later = await start("named", keep);
    expect(later.exempt()).toBe("20.0.0.0/8");
    expect(await missing(later)).toBe(1);
    const { savedAt } = JSON.parse(await readFile(copyFile(), "utf8")) as { readonly savedAt: string };
    expect(later.wishes.status()).toMatchObject({
      copiedAt: savedAt,
      files: [file()],
      missing: { inForce: "last-good" },
    });
    expect(later.log).toContain("warn the copy of the config that was made at that time is in force");
    await write("21.0.0.0/8");
    await becomes(later, "21.0.0.0/8");
    expect(await missing(later)).toBe(0);
    expect(later.wishes.status().copiedAt).toBeUndefined();
    await later[Symbol.asyncDispose]();
    await gone();
    expect((await start("named", keep)).exempt()).toBe("21.0.0.0/8");
  });

  test("gone, then broken, then a restart: the last good one all the time", async () => {
    await write("20.0.0.0/8");
    const run = await start("named", keep);
    await gone();
    await isMissing(run, 1);
    await write("nonsense");
    await isMissing(run, 0);
    expect(run.exempt()).toBe("20.0.0.0/8");
    expect(run.log).toContain("error the config is not valid: the last good one stays in force");
    await run[Symbol.asyncDispose]();
    const later = await start("named", keep);
    expect(later.exempt()).toBe("20.0.0.0/8");
    expect(later.wishes.status()).toMatchObject({
      refused: [expect.stringContaining("nonsense")],
      copiedAt: expect.any(String),
    });
    expect(await missing(later)).toBe(0);
  });

  test.each([
    ["half a copy", (whole: string) => whole.slice(0, whole.length / 2), "is damaged: it is not JSON"],
    ["something else", () => "[]", "is damaged: it does not have the form of a copy"],
    ["no files", (whole: string) => whole.replace('"files"', '"flies"'), "is damaged: it holds no config files"],
    ["another path's copy", (whole: string) => whole.replaceAll('ip-masq-agent"', 'other"'), "is a copy of config "],
  ])("a restart while it is gone, with %s: ignored and said, and a named path is waited for", async (_, spoil, why) => {
    await write("20.0.0.0/8");
    await (await start("named", keep))[Symbol.asyncDispose]();
    await gone();
    await writeFile(copyFile(), spoil(await readFile(copyFile(), "utf8")));
    const run = await start("named", keep);
    expect(run.exempt()).toBeUndefined();
    expect(run.log[0]).toContain(`ignored ${copyFile()} ${why}`);
    expect(run.wishes.status().missing).toMatchObject({ inForce: "nothing" });
    expect((await start("default", keep)).exempt()).toBe(defaults);
  });

  test("a copy that these flags do not take is not used", async () => {
    await write("fd00::/8");
    await (await start("named", keep, "--enable-ipv6"))[Symbol.asyncDispose]();
    await gone();
    const run = await start("named", keep);
    expect(run.exempt()).toBeUndefined();
    expect(run.log[0]).toBe("warn the copy of the config is not valid with these flags, so it is not used");
  });

  test("without a config ever, the default path means the defaults, and nothing is missing", async () => {
    const run = await start("default", keep);
    expect(run.exempt()).toBe(defaults);
    expect(await missing(run)).toBe(0);
  });

  test("a folder where no copy can be written is said, once", async () => {
    await write("20.0.0.0/8");
    await writeFile(join(directory, "cache"), "a file, not a directory");
    const run = await start("named", keep);
    await write("21.0.0.0/8");
    await becomes(run, "21.0.0.0/8");
    await run[Symbol.asyncDispose]();
    expect(run.log.filter((line) => line === `no copy at ${copyFile()}`)).toHaveLength(1);
  });

  test("a copy is not written through a link that somebody left in its place", async () => {
    await write("20.0.0.0/8");
    await mkdir(join(directory, "cache"));
    await writeFile(join(directory, "victim"), "precious");
    const { symlink } = await import("node:fs/promises");
    await symlink(join(directory, "victim"), `${copyFile()}.new`);
    await (await start("named", keep))[Symbol.asyncDispose]();
    expect(await readFile(join(directory, "victim"), "utf8")).toBe("precious");
    expect(await readFile(copyFile(), "utf8")).toContain("savedAt");
  });
});

describe("--missing-config=fail", () => {
  const fail = "--missing-config=fail";

  test("a start waits, also at the default path; gone later, the last good one stays; a restart waits", async () => {
    const run = await start("default", fail);
    expect(run.exempt()).toBeUndefined();
    expect(await missing(run)).toBe(1);
    expect(run.wishes.status().missing?.why).toContain("use --missing-config=defaults");
    await write("20.0.0.0/8");
    await becomes(run, "20.0.0.0/8");
    await gone();
    await isMissing(run, 1);
    expect(run.exempt()).toBe("20.0.0.0/8");
    await run[Symbol.asyncDispose]();
    expect((await start("default", fail)).exempt()).toBeUndefined();
    expect((await start("default")).exempt()).toBe(defaults);
  });
});

describe("a directory without a config file", () => {
  test.each(["defaults", "keep", "fail"])("with %s is waited for, and later never means the defaults", async (what) => {
    await mkdir(file(), { recursive: true });
    const run = await start("named", `--missing-config=${what}`);
    expect(run.exempt()).toBeUndefined();
    expect(await missing(run)).toBe(1);
    await writeFile(join(file(), "ip-masq-agent"), "nonMasqueradeCIDRs: [20.0.0.0/8]\n");
    await becomes(run, "20.0.0.0/8");
    await rm(join(file(), "ip-masq-agent"));
    await isMissing(run, 1);
    expect(run.exempt()).toBe("20.0.0.0/8");
    expect(run.stories).toEqual(["ConfigMissing", "ConfigFound", "ConfigMissing"]);
  });
});
