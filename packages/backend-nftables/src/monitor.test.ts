import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { type FakeNft, fakeNft } from "../test/fake-nft.ts";
import { type KernelChange, ownTable } from "./event-text.ts";
import { type MonitorState, startMonitor } from "./monitor.ts";
import type { ProcessFacts } from "./process-facts.ts";

/** Where the fakes find no more than the shell's own commands, and what a test puts there. */
const folderOf = (nft: FakeNft) => (nft.launcher[1] ?? "").replace("PATH=", "").split(":")[0] ?? "";

/** So many times as fast as time. */
function fastClock(factor: number): Clock {
  return {
    monotonic: () => systemClock.monotonic() * factor,
    wall: systemClock.wall,
    timer: (milliseconds, callback) => systemClock.timer(milliseconds / factor, callback),
  };
}

/** An nft that notes its process id, and then prints this line ten times a second. */
const chatty = (line: string) => `echo $$ >> "\${0%/*}/starts"; while :; do echo '${line}'; sleep 0.1; done`;

async function startsOf(nft: FakeNft): Promise<readonly number[]> {
  return (await readFile(join(folderOf(nft), "starts"), "utf8")).trim().split("\n").map(Number);
}

function listen(launcher: readonly string[], facts: Partial<ProcessFacts> = {}, clock = systemClock) {
  const states: MonitorState[] = [];
  const changes: KernelChange[] = [];
  const monitor = startMonitor({
    launcher,
    clock,
    concern: ownTable,
    facts: { listens: () => true, residentBytes: () => 4e6, ...facts },
    onChange: (change) => changes.push(change),
    onState: (state) => states.push(state),
  });
  return { monitor, states, changes };
}

test("it is up when it listens, and not before", async () => {
  await using nft = await fakeNft("exec sleep 60");
  let listens = false;
  const { monitor, states, changes } = listen(nft.launcher, { listens: () => listens });
  await using _ = monitor;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect({ states, changes }).toEqual({ states: [], changes: [] });
  listens = true;
  await expect.poll(() => states).toEqual([{ up: true, endsWithUs: true }]);
  expect(changes).toEqual([{ families: new Set(["IPv4", "IPv6"]) }]);
});

test("where /proc tells nothing, it is taken for up after a moment, and never renewed for its memory", async () => {
  await using nft = await fakeNft("while :; do echo '# new generation 1'; sleep 0.1; done");
  const { monitor, states } = listen(nft.launcher, { listens: () => undefined, residentBytes: () => undefined });
  await using _ = monitor;
  await expect.poll(() => states).toHaveLength(1);
  expect(monitor.residentBytes()).toBeUndefined();
});

test.each([
  ["4 MB, then 11", 4e6, 11e6, 1],
  ["4 MB, then 13: renewed, and that one again when it has grown", 4e6, 13e6, 3],
  ["170 MB from the start: no loop", 170e6, 170e6, 1],
  ["170 MB, then 200", 170e6, 200e6, 1],
  ["170 MB, then 220", 170e6, 220e6, 3],
])("%s", async (_, first, later, starts) => {
  await using nft = await fakeNft(chatty("add rule ip x y accept"));
  const measured = new Map<number, number>();
  const residentBytes = (pid: number) => {
    const times = (measured.get(pid) ?? 0) + 1;
    measured.set(pid, times);
    return times === 1 ? first : later;
  };
  const { monitor, states, changes } = listen(nft.launcher, { residentBytes }, fastClock(10));
  await using _monitor = monitor;
  if (starts > 1) await expect.poll(async () => (await startsOf(nft)).length, { timeout: 10_000 }).toBe(starts);
  else await new Promise((resolve) => setTimeout(resolve, 700));
  const pids = await startsOf(nft);
  expect(pids).toHaveLength(starts);
  // It was never down, and each start brought a reading of the kernel.
  expect(states).toHaveLength(1);
  expect(changes.length).toBeGreaterThanOrEqual(pids.length - 1);
  for (const pid of pids.slice(0, -1)) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("one that has forgotten a set is renewed after a minute, and not before", async () => {
  await using nft = await fakeNft(chatty("# new generation 1"));
  const { monitor, states } = listen(nft.launcher, {}, fastClock(50));
  await using _ = monitor;
  await new Promise((resolve) => setTimeout(resolve, 800));
  expect(await startsOf(nft)).toHaveLength(1);
  await expect.poll(() => startsOf(nft), { timeout: 5_000 }).toHaveLength(2);
  expect(states).toHaveLength(1);
});

test.each([
  ["without setpriv", undefined],
  ["with a setpriv that lacks the option", "echo \"setpriv: unrecognized option '--pdeathsig'\" >&2; exit 1"],
])("%s it listens all the same, and says that nft may outlive us", async (_, setpriv) => {
  await using nft = await fakeNft('while :; do read -r line < "$0.nothing"; done');
  const folder = folderOf(nft);
  await symlink("/bin/sh", join(folder, "sh"));
  // A shell script that waits, with nothing in PATH: a pipe that nobody writes to.
  await writeFile(join(folder, "nft"), "#!/bin/sh\nexec /bin/sleep 60\n");
  if (setpriv !== undefined) await writeFile(join(folder, "setpriv"), `#!/bin/sh\n${setpriv}\n`, { mode: 0o755 });
  const { monitor, states } = listen(["/usr/bin/env", `PATH=${folder}`]);
  await using _monitor = monitor;
  await expect.poll(() => states).toEqual([{ up: true, endsWithUs: false }]);
});

test("no nft at all: down, with the reason, and tried again with a pause", async () => {
  await using nft = await fakeNft();
  const { monitor, states } = listen(nft.launcher);
  await using _ = monitor;
  await expect.poll(() => states).toHaveLength(1);
  expect(states[0]).toMatchObject({ up: false, why: expect.stringContaining("nft") });
  expect(states[0]?.up === false && states[0].retryInMs).toBeGreaterThan(100);
});

test("what it says on stderr alone means a reading", async () => {
  await using nft = await fakeNft("sleep 0.3; echo 'W: Unable to cache set_elem. Set not found.' >&2; exec sleep 60");
  const { monitor, changes } = listen(nft.launcher);
  await using _ = monitor;
  await expect.poll(() => changes).toHaveLength(2);
});
