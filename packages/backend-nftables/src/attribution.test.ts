import type { Culprit, Family } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { recorded, recordedVersions } from "../test/recorded.ts";
import { stillClock } from "../test/still-clock.ts";
import { createAttribution } from "./attribution.ts";
import { ownTable } from "./event-text.ts";

interface Notice {
  readonly atMs: number;
  readonly families: readonly Family[];
  readonly by: Culprit | undefined;
}

function open(version: (typeof recordedVersions)[number]) {
  const clock = stillClock();
  const notices: Notice[] = [];
  let forgotten = 0;
  const attribution = createAttribution({
    clock,
    concern: ownTable,
    gapMs: () => 1_000,
    onChange: ({ families, by }) => notices.push({ atMs: clock.monotonic(), families: [...families], by }),
    onForgotten: () => {
      forgotten++;
    },
  });
  const reader = attribution.reader();
  return {
    clock,
    notices,
    attribution,
    reader,
    forgotten: () => forgotten,
    /** What nft printed of this step comes now. */
    comes(step: string) {
      const { stderr, stdout } = recorded(version, step);
      if (stderr !== "") attribution.complained();
      reader.take(stdout);
    },
  };
}

const both = ["IPv4", "IPv6"] as const;

describe.each(recordedVersions)("the output of nft %s", (version) => {
  test("a set that is known: the change is told at once, with its family and process", () => {
    const it = open(version);
    it.comes("IPv4 element");
    expect(it.notices).toMatchObject([{ atMs: 0, families: ["IPv4"], by: { pid: expect.any(Number) } }]);
    expect(it.forgotten()).toBe(0);
  });

  test("a set that is forgotten: told at once, for every family, by one notice that names the process", () => {
    const it = open(version);
    it.comes("IPv4 element, forgotten");
    it.clock.advance(10_000);
    expect(it.notices).toMatchObject([{ atMs: 0, families: both, by: { pid: expect.any(Number) } }]);
    expect(it.forgotten()).toBeGreaterThan(0);
  });

  test("a forgotten set's element in a transaction that has lines of others: only stderr tells, and that will do", () => {
    const it = open(version);
    it.comes("foreign rule and IPv4 element, forgotten");
    it.clock.advance(10_000);
    expect(it.notices).toMatchObject([{ atMs: 50, families: both, by: undefined }]);
  });

  test("stderr is no news of a family that was told of meanwhile", () => {
    const it = open(version);
    it.attribution.complained();
    it.comes("IPv4 element");
    it.clock.advance(10_000);
    expect(it.notices).toMatchObject([
      { atMs: 0, families: ["IPv4"] },
      { atMs: 50, families: ["IPv6"] },
    ]);
  });

  test("what others do with sets and rules that are known is passed over", () => {
    const it = open(version);
    it.comes("foreign refill");
    it.comes("foreign rewrite");
    it.clock.advance(10_000);
    expect(it.notices).toEqual([]);
  });

  test("our own rewrite, then another program's element: told at once, though nft has forgotten the set", () => {
    const it = open(version);
    for (let round = 1; round <= 9; round++) {
      const write = it.attribution.announce("IPv4", 1);
      it.comes("IPv4 rewrite");
      write.written();
      it.clock.advance(3);
      expect(it.notices).toHaveLength(round - 1);
      it.comes("IPv4 element, forgotten");
      expect(it.notices).toHaveLength(round);
      it.clock.advance(60_000);
    }
  });

  test("our own refill of a forgotten set: one reading after half a second, in case it was another's, and no more", () => {
    const it = open(version);
    const write = it.attribution.announce("IPv4", 1);
    it.comes("IPv4 refill, forgotten");
    write.written();
    it.clock.advance(60_000);
    expect(it.notices).toMatchObject([{ atMs: 500, families: both }]);
  });

  test("a flood of changes that cannot be attributed is told ten times at once, then once a second", () => {
    const it = open(version);
    for (let at = 0; at < 3_000; at++) {
      it.comes("foreign refill, forgotten");
      it.clock.advance(10);
    }
    expect(it.notices.length).toBeGreaterThan(35);
    expect(it.notices.length).toBeLessThanOrEqual(10 + 30);
    it.clock.advance(10_000);
    it.comes("IPv4 element");
    expect(it.notices.at(-1)).toMatchObject({ atMs: 40_000, families: ["IPv4"] });
  });

  test("in a flood, nobody is named for what several have done", () => {
    const it = open(version);
    for (let at = 0; at < 12; at++) it.comes("foreign refill, forgotten");
    it.comes("IPv4 element, forgotten");
    it.clock.advance(10_000);
    expect(it.notices.slice(0, 10).every(({ by }) => by !== undefined)).toBe(true);
    expect(it.notices.at(-1)?.by).toBeUndefined();
  });

  describe("own IPv4, own IPv6 and another program's, in every order, twice in a row", () => {
    const ownSteps = {
      attributed: { IPv4: "IPv4 rewrite", IPv6: "IPv6 rewrite" },
      bare: { IPv4: "IPv4 refill, forgotten", IPv6: "IPv6 refill, forgotten" },
    };
    const foreign = [
      { step: "IPv4 element", families: ["IPv4"] },
      { step: "IPv6 element", families: ["IPv6"] },
      { step: "IPv4 element, forgotten", families: both },
      { step: "foreign rule and IPv4 element, forgotten", families: both },
      { step: "flush ruleset", families: both },
      { step: undefined, families: [] },
    ] as const;
    const cases = (["attributed", "bare"] as const).flatMap((four) =>
      (["attributed", "bare"] as const).flatMap((six) =>
        foreign.flatMap((other) => [0, 10, 2_000].map((pauseMs) => ({ four, six, other, pauseMs }))),
      ),
    );

    test.each(cases)("$four, $six, $other.step, $pauseMs ms apart", ({ four, six, other, pauseMs }) => {
      const events = ["own4", "own6", ...(other.step === undefined ? [] : ["other"])];
      for (const order of permutations(events)) {
        for (const writtenFirst of [true, false]) {
          const it = open(version);
          for (let round = 0; round < 2; round++) {
            const before = it.notices.length;
            const begun = it.clock.monotonic();
            const writes = [it.attribution.announce("IPv4", 1), it.attribution.announce("IPv6", 1)];
            if (writtenFirst) for (const write of writes) write.written();
            for (const event of order) {
              if (event === "own4") it.comes(ownSteps[four].IPv4);
              if (event === "own6") it.comes(ownSteps[six].IPv6);
              if (event === "other" && other.step !== undefined) it.comes(other.step);
            }
            if (!writtenFirst) for (const write of writes) write.written();
            it.clock.advance(pauseMs);
            if (pauseMs < 500 && round === 0) continue;
            it.clock.advance(1_000);
            const told = it.notices.slice(before);
            const label = `${order} ${JSON.stringify(told)}`;
            // Nothing of another's stays unread for longer than half a second after our writes.
            const latest = begun + 500;
            const families = new Set(told.filter(({ atMs }) => atMs <= latest).flatMap((one) => one.families));
            for (const family of other.families) expect(families.has(family), label).toBe(true);
            // Our own writes cost nothing where they can be attributed, and little where they cannot.
            if (other.step === undefined && four === "attributed" && six === "attributed")
              expect(told, label).toEqual([]);
            expect(told.length, label).toBeLessThanOrEqual(5);
            expect(
              told.every(({ atMs }) => atMs <= begun + 1_000),
              label,
            ).toBe(true);
          }
          it.clock.advance(60_000);
          const last = it.notices.length;
          it.clock.advance(600_000);
          expect(it.notices).toHaveLength(last);
          expect(it.clock.pending()).toBe(0);
        }
      }
    });

    test("with both of our writes attributed, the third is told at once in whatever order they come", () => {
      for (const order of permutations(["IPv4 rewrite", "IPv6 rewrite", "IPv4 element, forgotten"])) {
        const it = open(version);
        const writes = [it.attribution.announce("IPv4", 1), it.attribution.announce("IPv6", 1)];
        for (const step of order) it.comes(step);
        for (const write of writes) write.written();
        expect(it.notices, `${order}`).toMatchObject([{ atMs: 0, families: both }]);
      }
    });
  });
});

test("an announced event that never comes means a reading after half a second", () => {
  const it = open("1.0.6");
  it.attribution.announce("IPv6", 1).written();
  it.clock.advance(499);
  expect(it.notices).toEqual([]);
  it.clock.advance(1);
  expect(it.notices).toMatchObject([{ families: ["IPv6"] }]);
});

test("a generation without lines, taken for ours, is doubted even where nothing is said on stderr", () => {
  const it = open("1.0.6");
  const write = it.attribution.announce("IPv4", 1);
  it.reader.take("# new generation 8 by process 30 (nft)\n");
  write.written();
  expect(it.notices).toEqual([]);
  it.clock.advance(60_000);
  expect(it.notices).toMatchObject([{ atMs: 500, families: both }]);
});

test("a write that failed announces nothing", () => {
  const it = open("1.0.6");
  it.attribution.announce("IPv4", 1)[Symbol.dispose]();
  it.comes("IPv4 element");
  expect(it.notices).toHaveLength(1);
});

test("disposed of, it tells nothing more", () => {
  const it = open("1.0.6");
  it.attribution.announce("IPv4", 1).written();
  it.attribution.complained();
  it.attribution[Symbol.dispose]();
  it.clock.advance(60_000);
  expect(it.notices).toEqual([]);
  expect(it.clock.pending()).toBe(0);
});

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}
