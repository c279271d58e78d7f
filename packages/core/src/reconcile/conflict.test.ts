import { describe, expect, test } from "vitest";
import { createConflictGuard } from "./conflict.ts";

/** Acts of tampering at these times; the first at which a conflict is told. */
function toldAt(times: readonly number[], key: (at: number) => string = () => "same"): number | undefined {
  const guard = createConflictGuard();
  return times.find((at) => guard.tampered(key(at), at) === "begins");
}

function every(milliseconds: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => at * milliseconds);
}

describe("what is a conflict", () => {
  test("the same drift five times in ten minutes: a flush every 10 s is told after 40 s, every minute after four", () => {
    expect(toldAt(every(50, 100))).toBe(200);
    expect(toldAt(every(10_000, 100))).toBe(40_000);
    expect(toldAt(every(60_000, 100))).toBe(240_000);
    expect(toldAt(every(150_000, 100))).toBe(600_000);
  });

  test("ever different drift twenty times", () => {
    expect(toldAt(every(1_000, 100), String)).toBe(19_000);
  });

  test("single acts are none: four times the same, nineteen different ones, or one every three minutes for a day", () => {
    expect(toldAt(every(1_000, 4))).toBeUndefined();
    expect(toldAt(every(1_000, 19), String)).toBeUndefined();
    expect(toldAt(every(180_000, 480))).toBeUndefined();
  });
});

describe("when it is over", () => {
  function after(gapMs: number, count = 10): { readonly overAfterMs: number; readonly undone: number | undefined } {
    const guard = createConflictGuard();
    for (const at of every(gapMs, count)) guard.tampered("same", at);
    const undone = guard.current()?.undone;
    const end = (count - 1) * gapMs;
    const overAfterMs = every(1_000, 3_600).find((ms) => guard.calm(end + ms)) ?? Number.NaN;
    expect(guard.calm(end + 10 * 3_600_000)).toBe(false);
    expect(guard.current()).toBeUndefined();
    return { overAfterMs, undone };
  }

  test("when the rules stood for a minute, or three times the mean time between acts; once", () => {
    expect(after(50)).toEqual({ overAfterMs: 60_000, undone: 10 });
    expect(after(10_000)).toEqual({ overAfterMs: 60_000, undone: 10 });
    expect(after(60_000)).toEqual({ overAfterMs: 180_000, undone: 10 });
  });

  test("ten minutes are always enough", () => {
    const guard = createConflictGuard();
    for (const at of every(150_000, 5)) guard.tampered("same", at);
    guard.tampered("same", 2_000_000);
    expect(guard.overAt()).toBe(2_600_000);
  });

  test("afterwards it takes as much again to begin one", () => {
    const guard = createConflictGuard();
    for (const at of every(50, 5)) guard.tampered("same", at);
    expect(guard.calm(100_000)).toBe(true);
    expect(every(50, 5).map((at) => guard.tampered("same", 100_000 + at))).toEqual([
      ...Array.from({ length: 4 }, () => "none"),
      "begins",
    ]);
  });
});
