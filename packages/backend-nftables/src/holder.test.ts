import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BackendError } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { type FakeNft, fakeNft } from "../test/fake-nft.ts";
import { createHolder } from "./holder.ts";

/**
 * As `nft -i` answers: nothing to what it does, and to a word that it does not know with a refusal that repeats it. Of the
 * transactions, `hang` never ends, `slow` is refused after half a second, `die` ends the process.
 */
const interactive = `
here="\${0%/*}"
echo $$ >> "$here/pids"
while read -r line; do
  case "$line" in
    done_*) printf 'Error: syntax error, unexpected newline\\n%s\\n' "$line" >&2 ;;
    hang*) sleep 30 ;;
    slow*) sleep 0.5; printf 'Error: Could not process rule: too slow\\n' >&2 ;;
    refuse*) printf 'Error: Could not process rule: refused\\n' >&2 ;;
    die*) echo 'nft: internal error' >&2; exit 3 ;;
    *) echo "$line" >> "$here/written" ;;
  esac
done`;

const never = new AbortController().signal;

async function lines(nft: FakeNft, file: "pids" | "written"): Promise<readonly string[]> {
  const folder = (nft.launcher[1] ?? "").replace("PATH=", "").split(":")[0] ?? "";
  return (await readFile(join(folder, file), "utf8").catch(() => "")).split("\n").filter(Boolean);
}

async function open(timeoutMs = 400) {
  const nft = await fakeNft(interactive);
  let lost = 0;
  const holder = createHolder({ launcher: nft.launcher, timeoutMs }, () => {
    lost++;
  });
  return {
    holder,
    lost: () => lost,
    pids: () => lines(nft, "pids"),
    written: () => lines(nft, "written"),
    async [Symbol.asyncDispose]() {
      await holder[Symbol.asyncDispose]();
      await nft[Symbol.asyncDispose]();
    },
  };
}

const thrown = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test("transactions go one after the other through one process", async () => {
  await using it = await open();
  await Promise.all([it.holder.run("IPv4", "a\n", never), it.holder.run("IPv6", "b\n", never)]);
  await it.holder.run("IPv4", "c\n", never);
  expect(await it.written()).toEqual(["a", "b", "c"]);
  expect(await it.pids()).toHaveLength(1);
  expect([it.holder.holds("IPv4"), it.holder.holds("IPv6"), it.lost()]).toEqual([true, true, 0]);
});

test("IPv4 hangs, and IPv6 that comes after it does not fail with it", async () => {
  await using it = await open();
  const [four, six] = await Promise.all([
    thrown(it.holder.run("IPv4", "hang\n", never)),
    thrown(it.holder.run("IPv6", "b\n", never)),
  ]);
  expect(four).toMatchObject({ reason: "timeout", family: "IPv4" });
  expect(six).toBeUndefined();
  expect(await it.written()).toEqual(["b"]);
  const [first = ""] = await it.pids();
  expect(() => process.kill(Number(first), 0)).toThrow("ESRCH");
  expect([it.holder.holds("IPv4"), it.holder.holds("IPv6")]).toEqual([false, true]);
});

test("a timeout takes the tables from their owner, and that is told", async () => {
  await using it = await open();
  await it.holder.run("IPv4", "a\n", never);
  await thrown(it.holder.run("IPv6", "hang\n", never));
  expect([it.lost(), it.holder.holds("IPv4")]).toEqual([1, false]);
  await it.holder.run("IPv4", "c\n", never);
  expect([it.lost(), it.holder.holds("IPv4")]).toEqual([1, true]);
});

test("one that was given up does not answer for the next", async () => {
  await using it = await open(5_000);
  const signal = AbortSignal.timeout(200);
  const [aborted, next] = await Promise.all([
    thrown(it.holder.run("IPv4", "slow\n", signal)),
    thrown(it.holder.run("IPv4", "b\n", never)),
  ]);
  expect(aborted).toMatchObject({ reason: "other", message: expect.stringContaining("the agent stops") });
  expect(next).toBeUndefined();
  expect(await it.written()).toEqual(["b"]);
});

test("nothing is written for somebody who has already given up", async () => {
  await using it = await open();
  expect(await thrown(it.holder.run("IPv4", "a\n", AbortSignal.abort()))).toBeInstanceOf(BackendError);
  expect([await it.written(), await it.pids()]).toEqual([[], []]);
});

test("a refusal is that transaction's, and the process goes on", async () => {
  await using it = await open();
  expect(await thrown(it.holder.run("IPv4", "refuse\n", never))).toMatchObject({ reason: "rejected" });
  expect(await thrown(it.holder.run("IPv4", "b\n", never))).toBeUndefined();
  expect(await it.pids()).toHaveLength(1);
});

test("killed between two transactions: told, and the next has a process of its own", async () => {
  await using it = await open();
  await it.holder.run("IPv4", "a\n", never);
  process.kill(Number((await it.pids())[0]), "SIGKILL");
  await expect.poll(it.lost).toBe(1);
  await it.holder.run("IPv6", "b\n", never);
  expect(await it.pids()).toHaveLength(2);
  expect([it.holder.holds("IPv4"), it.holder.holds("IPv6")]).toEqual([false, true]);
});

test("killed, and the next comes before that is known: it fails or it works, and the one after it works", async () => {
  await using it = await open();
  await it.holder.run("IPv4", "a\n", never);
  process.kill(Number((await it.pids())[0]), "SIGKILL");
  const [next, after] = await Promise.all([
    thrown(it.holder.run("IPv4", "b\n", never)),
    thrown(it.holder.run("IPv6", "c\n", never)),
  ]);
  if (next !== undefined) expect(next).toMatchObject({ message: expect.stringContaining("ended with SIGKILL") });
  expect(after).toBeUndefined();
  expect(it.lost()).toBe(1);
});

test("ended in the middle: the error has its last words, and the next works", async () => {
  await using it = await open();
  const [dead, next] = await Promise.all([
    thrown(it.holder.run("IPv4", "die\n", never)),
    thrown(it.holder.run("IPv6", "b\n", never)),
  ]);
  expect(dead).toMatchObject({ reason: "other", message: expect.stringContaining("internal error"), family: "IPv4" });
  expect(next).toBeUndefined();
});

test("no nft: told as such, each time, and nothing is lost", async () => {
  await using nft = await fakeNft();
  const holder = createHolder({ launcher: nft.launcher, timeoutMs: 1_000 }, () => {});
  await using _ = holder;
  for (let round = 0; round < 2; round++) {
    expect(await thrown(holder.run("IPv4", "a\n", never))).toMatchObject({ reason: "tool_missing" });
  }
});
