import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "@ip-masq-agent/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readSources, SourceError } from "./read.ts";
import { readBounded } from "./read-bounded.ts";
import type { Snapshot } from "./snapshot.ts";
import { watchConfig } from "./watch.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-test-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const at = (...names: readonly string[]) => join(directory, ...names);

describe("readSources", () => {
  const names = async (path: string) => (await readSources(path)).map(({ file }) => file.slice(directory.length + 1));

  test("a file, or nothing where none is", async () => {
    expect(await names(at("ip-masq-agent"))).toEqual([]);
    await writeFile(at("ip-masq-agent"), "a: 1");
    expect(await names(at("ip-masq-agent"))).toEqual(["ip-masq-agent"]);
  });

  test("a mistyped path leads to no other file", async () => {
    await writeFile(at("config"), "");
    expect(await names(at("ip-masq-agnet"))).toEqual([]);
  });

  test("a ConfigMap's other key, `config`, in the same place; the proper name wins", async () => {
    await writeFile(at("config"), "");
    expect(await names(at("ip-masq-agent"))).toEqual(["config"]);
    expect(await names(directory)).toEqual(["config"]);
    await writeFile(at("ip-masq-agent"), "");
    expect(await names(at("ip-masq-agent"))).toEqual(["ip-masq-agent"]);
    expect(await names(directory)).toEqual(["ip-masq-agent"]);
  });

  test("every ip-masq* file of a directory, and nothing else", async () => {
    await mkdir(at("ip-masq-dir"));
    for (const name of ["ip-masq-agent-b", "ip-masq-agent-a", "other", ".ip-masq"]) await writeFile(at(name), "");
    expect(await names(directory)).toEqual(["ip-masq-agent-a", "ip-masq-agent-b"]);
  });

  test.each([
    ["a directory without a config file", async () => mkdir(at("x")), "without a file named ip-masq*"],
    [
      "a named pipe, which would be waited for",
      async () => promisify(execFile)("mkfifo", [at("x")], { timeout: 5_000 }),
      "is a named pipe",
    ],
    [
      "a link to a device that never ends",
      async () => symlink("/dev/zero", at("x")),
      "is a device, a pipe or a socket",
    ],
    [
      "a directory of them",
      async () => mkdir(at("x")).then(() => symlink("/dev/zero", at("x", "ip-masq"))),
      "is a device",
    ],
    [
      "a file of 300 MB",
      async () => writeFile(at("x"), "").then(() => truncate(at("x"), 300_000_000)),
      "has 300000000 bytes, and at most 4194304",
    ],
    ["too many files", async () => fillDirectory(17, 1), "there are 17 config files, and at most 16"],
    ["too much in several files", async () => fillDirectory(9, 512 * 1024), "have 4718592 bytes, and at most 4194304"],
    ["a link to itself", async () => symlink("x", at("x")), "lead in a circle"],
  ])("%s is refused", async (_, prepare, reason) => {
    await prepare();
    await expect(readSources(at("x"))).rejects.toMatchObject({
      finding: { file: expect.stringContaining(at("x")), reason: expect.stringContaining(reason) },
    });
  });

  async function fillDirectory(files: number, bytes: number): Promise<void> {
    await mkdir(at("x"));
    for (let file = 0; file < files; file++) await writeFile(at("x", `ip-masq-${file}`), "#".repeat(bytes));
  }

  test("what has no size of its own is read to the limit and no further", async () => {
    await promisify(execFile)("mkfifo", [at("x")]);
    const writer = execFile("sh", ["-c", `exec yes >${at("x")}`]);
    const reason = expect.stringContaining("has more than 4194304 bytes");
    expect(await readBounded(at("x"), true)).toMatchObject({ code: "file-too-large", reason });
    writer.kill();
  });

  test("a file where the directory should be is refused", async () => {
    await writeFile(at("etc"), "hi");
    await expect(readSources(at("etc", "ip-masq-agent"))).rejects.toThrow(SourceError);
  });
});

describe("watchConfig", () => {
  /** Starts watching, runs the change, and gives what was told and after how many milliseconds. */
  async function told(path: string, change: () => Promise<unknown>, wait = 400): Promise<readonly [string, number][]> {
    const seen: [string, number][] = [];
    let started = 0;
    const text = (snapshot: Snapshot) =>
      snapshot.error?.finding.code ?? snapshot.sources.map(({ content }) => Buffer.from(content).toString()).join("+");
    using _watch = await watchConfig({
      path,
      clock: systemClock,
      onChange: (snapshot) => seen.push([text(snapshot), performance.now() - started]),
      onTrouble: (cause) => {
        throw cause;
      },
      // Far away: what is seen here is seen by watching.
      pollMs: 60_000,
    });
    started = performance.now();
    await change();
    await new Promise((resolve) => setTimeout(resolve, wait));
    return seen;
  }
  const texts = (seen: readonly [string, number][]) => seen.map(([text]) => text);

  test("a plain write, once, though it truncates first", async () => {
    await writeFile(at("ip-masq-agent"), "one");
    expect(texts(await told(at("ip-masq-agent"), () => writeFile(at("ip-masq-agent"), "two")))).toEqual(["two"]);
  });

  test("the kubelet's swap of ..data", async () => {
    await mkdir(at("..1"));
    await writeFile(at("..1", "ip-masq-agent"), "one");
    await symlink("..1", at("..data"));
    await symlink("..data/ip-masq-agent", at("ip-masq-agent"));
    const seen = await told(at("ip-masq-agent"), async () => {
      await mkdir(at("..2"));
      await writeFile(at("..2", "ip-masq-agent"), "two");
      await symlink("..2", at("..data_tmp"));
      await rename(at("..data_tmp"), at("..data"));
    });
    expect(texts(seen)).toEqual(["two"]);
  });

  test("a rename over it, deletion, and creation later", async () => {
    await writeFile(at("ip-masq-agent"), "one");
    const seen = await told(at("ip-masq-agent"), async () => {
      await writeFile(at("new"), "two");
      await rename(at("new"), at("ip-masq-agent"));
      await new Promise((resolve) => setTimeout(resolve, 150));
      await rm(at("ip-masq-agent"));
      await new Promise((resolve) => setTimeout(resolve, 150));
      await writeFile(at("ip-masq-agent"), "three");
    });
    expect(texts(seen)).toEqual(["two", "", "three"]);
  });

  test("a directory that comes later, goes, and comes again", async () => {
    const seen = await told(at("etc", "deep", "ip-masq-agent"), async () => {
      for (const content of ["one", "two"]) {
        await mkdir(at("etc", "deep"), { recursive: true });
        await writeFile(at("etc", "deep", "ip-masq-agent"), content);
        await new Promise((resolve) => setTimeout(resolve, 200));
        await rm(at("etc"), { recursive: true });
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    });
    expect(texts(seen)).toEqual(["one", "", "two", ""]);
  });

  test("a directory above the config's own that goes and comes again", async () => {
    await mkdir(at("etc"));
    const seen = await told(at("etc", "deep", "ip-masq-agent"), async () => {
      await rm(at("etc"), { recursive: true });
      await new Promise((resolve) => setTimeout(resolve, 150));
      await mkdir(at("etc", "deep"), { recursive: true });
      await writeFile(at("etc", "deep", "ip-masq-agent"), "one");
    });
    expect(texts(seen)).toEqual(["one"]);
  });

  test("a write of the same content is no change", async () => {
    await writeFile(at("ip-masq-agent"), "one");
    expect(await told(at("ip-masq-agent"), () => writeFile(at("ip-masq-agent"), "one"))).toEqual([]);
  });

  test("what becomes unreadable is told, and what becomes readable again", async () => {
    await writeFile(at("ip-masq-agent"), "one");
    const seen = await told(at("ip-masq-agent"), async () => {
      await rm(at("ip-masq-agent"));
      await symlink("ip-masq-agent", at("ip-masq-agent"));
      await new Promise((resolve) => setTimeout(resolve, 150));
      await rm(at("ip-masq-agent"));
      await writeFile(at("ip-masq-agent"), "two");
    });
    expect(texts(seen)).toEqual(["unreadable", "two"]);
  });

  test("the poll sees what no event told, as behind a link to another place", async () => {
    await mkdir(at("elsewhere"));
    await mkdir(at("etc"));
    await writeFile(at("elsewhere", "f"), "one");
    await symlink(at("elsewhere", "f"), at("etc", "ip-masq-agent"));
    const seen: string[] = [];
    using _watch = await watchConfig({
      path: at("etc", "ip-masq-agent"),
      clock: systemClock,
      onChange: ({ sources }) => seen.push(sources.map(({ content }) => Buffer.from(content).toString()).join()),
      onTrouble: () => {},
      pollMs: 50,
    });
    await writeFile(at("elsewhere", "f"), "two");
    await expect.poll(() => seen).toEqual(["two"]);
  });

  test("asked to, it reads at once what no event told, and tells it once", async () => {
    await mkdir(at("elsewhere"));
    await mkdir(at("etc"));
    await writeFile(at("elsewhere", "f"), "one");
    await symlink(at("elsewhere", "f"), at("etc", "ip-masq-agent"));
    const seen: string[] = [];
    using watch = await watchConfig({
      path: at("etc", "ip-masq-agent"),
      clock: systemClock,
      onChange: ({ sources }) => seen.push(sources.map(({ content }) => Buffer.from(content).toString()).join()),
      onTrouble: () => {},
      pollMs: 60_000,
    });
    await watch.readNow();
    expect(seen).toEqual([]);
    await writeFile(at("elsewhere", "f"), "two");
    await Promise.all([watch.readNow(), watch.readNow()]);
    expect(seen).toEqual(["two"]);
  });

  test("a writer that never pauses is read all the same", async () => {
    await writeFile(at("ip-masq-agent"), "0");
    const seen = await told(at("ip-masq-agent"), async () => {
      for (let round = 1; round <= 60; round++) {
        await writeFile(at("ip-masq-agent"), `${round}`);
        await new Promise((resolve) => setTimeout(resolve, 4));
      }
    });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)?.[0]).toBe("60");
    await chmod(at("ip-masq-agent"), 0o600);
  });
});
