import { readdirSync, readFileSync } from "node:fs";
import { type Family, systemClock } from "@ip-masq-agent/core";
import { createLab, type Lab, toolchains } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ownTable } from "../src/event-text.ts";
import { createNftablesBackend } from "../src/index.ts";
import { type Monitor, type MonitorState, startMonitor } from "../src/monitor.ts";
import { procFacts } from "../src/process-facts.ts";
import { policy } from "./policy.ts";

const limit = () => AbortSignal.timeout(30_000);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Notice {
  readonly at: number;
  readonly families: ReadonlySet<Family>;
}

let lab: Lab;
beforeEach(async () => {
  lab = await createLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

describe.each(toolchains())("nft monitor of $name", ({ prefix }) => {
  const launcher = () => [...lab.launcher, ...prefix];

  async function nft(input: string): Promise<void> {
    const { exitCode, stderr } = await lab.run([...prefix, "nft", "-f", "-"], input);
    if (exitCode !== 0) throw new Error(stderr);
  }

  function listen(facts = procFacts) {
    const notices: Notice[] = [];
    const states: MonitorState[] = [];
    const monitor = startMonitor({
      launcher: launcher(),
      clock: systemClock,
      concern: ownTable,
      facts,
      onChange: ({ families }) => notices.push({ at: performance.now(), families }),
      onState: (state) => states.push(state),
    });
    /** Runs the tampering and gives how long after its end the family was told of, in milliseconds. */
    async function noticedAfter(family: Family, tampering: string): Promise<number> {
      const before = notices.length;
      await nft(tampering);
      const done = performance.now();
      const found = () => notices.slice(before).find(({ families }) => families.has(family));
      await expect.poll(found, { interval: 5, timeout: 5_000 }).toBeDefined();
      return Math.max(0, (found()?.at ?? Number.POSITIVE_INFINITY) - done);
    }
    return { monitor, notices, states, noticedAfter };
  }

  /** Puts a policy in force as the loop does: with the write announced, as one transaction for each in the plan. */
  async function enforce(monitor: Monitor, family: Family, options: Parameters<typeof policy>[2] = {}): Promise<void> {
    const backend = createNftablesBackend({ launcher: launcher() });
    const cidrs = family === "IPv4" ? ["10.0.0.0/8", "172.16.0.0/12"] : ["fd00::/8"];
    const wanted = backend.render(policy(family, cidrs, options), await backend.probe(limit()));
    const plan = backend.plan(wanted, await backend.observe(family, limit()));
    if (plan.transaction === "") return;
    const announcement = monitor.announce(family, plan.transaction.split("\n\n").length);
    await backend.apply(plan, limit());
    announcement.written();
  }

  async function up(states: readonly MonitorState[]): Promise<void> {
    await expect.poll(() => states).toMatchObject([{ up: true, endsWithUs: true }]);
  }

  test("after a rewrite of the chain by us, changes of the set are noticed at once, 9 of 9", async () => {
    const { monitor, notices, states, noticedAfter } = listen();
    await using _ = monitor;
    await up(states);
    const delays: number[] = [];
    for (let round = 0; round < 9; round++) {
      await enforce(monitor, "IPv4");
      await nft("flush chain ip ip-masq-agent postrouting\n");
      await enforce(monitor, "IPv4");
      delays.push(await noticedAfter("IPv4", "delete element ip ip-masq-agent exempt { 10.0.0.0/8 }\n"));
      await pause(600);
    }
    report(prefix, "after our rewrite", delays);
    // The first notice is that it listens: flush and deletion are two a round, and our own refill of the forgotten set
    // is doubted once.
    expect(notices.length).toBeLessThanOrEqual(1 + 9 * 3);
    expect(delays.toSorted((a, b) => a - b)[4]).toBeLessThan(100);
    expect(Math.max(...delays)).toBeLessThan(1_000);
  });

  test("after a start that changes the chain only, changes of the set are noticed at once", async () => {
    const delays: number[] = [];
    for (let round = 0; round < 9; round++) {
      const { monitor, states, noticedAfter } = listen();
      await using _ = monitor;
      await up(states);
      await enforce(monitor, "IPv4", { ports: [{ first: 1_024 + round, last: 65_535 }] });
      await pause(100);
      delays.push(await noticedAfter("IPv4", "delete element ip ip-masq-agent exempt { 10.0.0.0/8 }\n"));
      await nft("add element ip ip-masq-agent exempt { 10.0.0.0/8 }\n");
    }
    report(prefix, "after a start", delays);
    expect(delays.toSorted((a, b) => a - b)[4]).toBeLessThan(100);
    expect(Math.max(...delays)).toBeLessThan(1_000);
  });

  test("our own writes of both families, again and again, are no news", async () => {
    const { monitor, notices, states } = listen();
    await using _ = monitor;
    await up(states);
    await pause(100);
    for (let round = 0; round < 4; round++) {
      const options = { ports: [{ first: 1_024 + round, last: 65_535 }] };
      await Promise.all([enforce(monitor, "IPv4", options), enforce(monitor, "IPv6", options)]);
      // More than 40 pieces of output in a second are taken for a flood, which means a notice.
      await pause(1_000);
    }
    // The one that it listens.
    expect(notices).toHaveLength(1);
  });

  test("a set that nft has forgotten, refilled by another program all the time, costs one notice a second", async () => {
    const { monitor, notices, states, noticedAfter } = listen();
    await using _ = monitor;
    await enforce(monitor, "IPv4");
    await nft("table ip other { set s { type ipv4_addr; }\n chain c { ip daddr @s accept\n }\n }\n");
    await up(states);
    await nft("flush chain ip other c\n");
    const refill = "flush set ip other s\nadd element ip other s { 1.1.1.1, 2.2.2.2 }\n";
    const file = `/run/refill`;
    await lab.run(["sh", "-c", `cat > ${file}`], refill);
    const begun = notices.length;
    const flood = lab.run([...prefix, "timeout", "8", "sh", "-c", `while :; do nft -f ${file}; sleep 0.005; done`]);
    await pause(6_000);
    const told = notices.length - begun;
    expect(told).toBeGreaterThan(10);
    expect(told).toBeLessThanOrEqual(10 + 7);
    // What can be attributed does not wait for the second to be over.
    expect(await noticedAfter("IPv4", "flush chain ip ip-masq-agent postrouting\n")).toBeLessThan(500);
    await flood;
  });

  test("its memory is bounded while another program refills a set of 1,000, and nothing is missed", async () => {
    const { monitor, states, noticedAfter } = listen();
    await using _ = monitor;
    await enforce(monitor, "IPv4");
    const elements = Array.from({ length: 1_000 }, (_, at) => `20.${at >> 8}.${at & 255}.0/25`).join(", ");
    await nft(`table ip other { set s { type ipv4_addr; flags interval; elements = { ${elements} }\n }\n }\n`);
    await up(states);
    const sizes: number[] = [];
    const pids = new Set<number>();
    const watch = setInterval(() => {
      sizes.push(monitor.residentBytes() ?? 0);
      for (const pid of monitors()) pids.add(pid);
    }, 50);
    const delays: number[] = [];
    for (let round = 0; round < 24; round++) {
      await nft(`flush set ip other s\nadd element ip other s { ${elements} }\n`);
      const change = round % 2 === 0 ? "delete" : "add";
      delays.push(await noticedAfter("IPv4", `${change} element ip ip-masq-agent exempt { 10.0.0.0/8 }\n`));
      // 80 kB of text each: no more than is read in a second.
      await pause(350);
    }
    clearInterval(watch);
    report(prefix, `${pids.size} processes, at most ${(Math.max(...sizes) / 1e6).toFixed(1)} MB`, delays);
    // Without a bound, 24 refills take 17 MB. 5 MB at its start, 8 of growth, and what comes within a second.
    expect(Math.max(...sizes)).toBeLessThan(17.5e6);
    expect(pids.size).toBeGreaterThanOrEqual(2);
    // Reading is bounded, and nft writes a line for each element.
    expect(Math.max(...delays)).toBeLessThan(2_000);
    expect(states).toHaveLength(1);
  });

  test("renewed after every change, it misses none, not even in the moment in which none listens", async () => {
    const seen = new Set<number>();
    const { monitor, states, noticedAfter } = listen({
      ...procFacts,
      residentBytes(pid) {
        const first = !seen.has(pid);
        seen.add(pid);
        return first ? 4e6 : 40e6;
      },
    });
    await using _ = monitor;
    await enforce(monitor, "IPv4");
    await up(states);
    const delays: number[] = [];
    for (let round = 0; round < 12; round++) {
      const change = round % 2 === 0 ? "delete" : "add";
      delays.push(await noticedAfter("IPv4", `${change} element ip ip-masq-agent exempt { 10.0.0.0/8 }\n`));
      // Its memory is read a second after it has said something: at that moment, more or less, comes the next change.
      await pause(970 + 5 * round);
    }
    report(prefix, `${seen.size} processes`, delays);
    expect(seen.size).toBeGreaterThan(5);
    expect(delays.toSorted((a, b) => a - b)[6]).toBeLessThan(100);
    expect(Math.max(...delays)).toBeLessThan(1_000);
    expect(states).toHaveLength(1);
  });

  test("beside 20,000 rules it is large from its start: told up when it listens, and not renewed for that", async () => {
    const rules = Array.from({ length: 20_000 }, (_, at) => `ip daddr 10.0.${at >> 8}.${at & 255} accept`).join("\n");
    await nft(`table ip big { chain c { ${rules}\n }\n }\n`);
    const { monitor, states, notices, noticedAfter } = listen();
    await using _ = monitor;
    await enforce(monitor, "IPv4");
    await up(states);
    expect(notices).toHaveLength(1);
    expect(await noticedAfter("IPv4", "delete element ip ip-masq-agent exempt { 10.0.0.0/8 }\n")).toBeLessThan(1_000);
    const before = monitors();
    for (let round = 0; round < 5; round++) {
      await noticedAfter("IPv4", "add rule ip ip-masq-agent postrouting accept\n");
      await pause(500);
    }
    expect(monitors()).toEqual(before);
    expect(monitor.residentBytes()).toBeGreaterThan(20e6);
  });
});

/** Those that this test's monitors have started. */
function monitors(): readonly number[] {
  const children = readdirSync(`/proc/${process.pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${process.pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return children.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith("\0monitor\0");
    } catch {
      return false;
    }
  });
}

function report(prefix: readonly string[], what: string, delays: readonly number[]): void {
  const sorted = delays.toSorted((a, b) => a - b).map((delay) => delay.toFixed(0));
  process.stderr.write(
    `${prefix.length === 0 ? "system" : "trixie"}: ${what}: noticed after ${sorted.join(", ")} ms\n`,
  );
}
