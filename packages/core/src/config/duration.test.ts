import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";

describe("parseDuration, as Go's time.ParseDuration", () => {
  test.each([
    ["0", 0],
    ["+0", 0],
    ["-0", 0],
    ["0s", 0],
    ["60s", 60_000],
    ["1m0s", 60_000],
    ["1h30m", 5_400_000],
    ["30m1h", 5_400_000],
    ["1s1s", 2_000],
    ["1.5s", 1_500],
    [".5s", 500],
    ["1.s", 1_000],
    ["-1.5h", -5_400_000],
    ["+500ms", 500],
    ["1us", 0.001],
    ["1\u00b5s", 0.001],
    ["1\u03bcs", 0.001],
    ["1ns", 0.000001],
    ["0.9ns", 0],
    ["000000000000000000000000000000000000005s", 5_000],
    ["0.33333333333333333333h", 1_200_000],
    ["0.100000000000000000000h", 360_000],
    ["9223372036854775807ns", 9_223_372_036_854.775],
    ["-9223372036854775808ns", -9_223_372_036_854.775],
    ["2562047h47m16.854775807s", 9_223_372_036_854.775],
  ])("%s", (text, milliseconds) => {
    expect(parseDuration(text)).toBeCloseTo(milliseconds, 2);
  });

  test.each([
    ["", "is not a duration"],
    ["-", "is not a duration"],
    ["+", "is not a duration"],
    [".", "is not a duration"],
    [".s", "is not a duration"],
    ["s", "is not a duration"],
    ["abc", "is not a duration"],
    ["--1s", "is not a duration"],
    ["1s.", "is not a duration"],
    [" 1s", "is not a duration"],
    ["3", "has a number without a unit"],
    ["1s5", "has a number without a unit"],
    ["1d", 'has the unknown unit "d"'],
    ["5 s", 'has the unknown unit " s"'],
    ["1s ", 'has the unknown unit "s "'],
    ["1S", 'has the unknown unit "S"'],
    ["1e3s", 'has the unknown unit "e"'],
    ["٣s", "is not a duration"],
    ["9223372036854775808ns", "is longer than a duration can be (292 years)"],
    ["-9223372036854775809ns", "is longer than a duration can be (292 years)"],
    ["9999999h", "is longer than a duration can be (292 years)"],
    ["99999999999999999999999999s", "is longer than a duration can be (292 years)"],
    ["2562047h48m", "is longer than a duration can be (292 years)"],
  ])("%j is refused", (text, reason) => {
    expect(parseDuration(text)).toMatchObject({ reason });
  });
});

describe("formatDuration, as Go's time.Duration.String", () => {
  test.each([
    [0, "0s"],
    [0.000001, "1ns"],
    [0.0011, "1.1\u00b5s"],
    [2.2, "2.2ms"],
    [100, "100ms"],
    [3_300, "3.3s"],
    [60_000, "1m0s"],
    [245_000, "4m5s"],
    [245_001, "4m5.001s"],
    [18_367_001, "5h6m7.001s"],
    [3_600_000, "1h0m0s"],
    [480_000.000001, "8m0.000000001s"],
    [-90_000, "-1m30s"],
  ])("%d ms", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  test("what is printed reads back as the same", () => {
    // Up to 2^43 ns whole microseconds and nanoseconds both fit a double of milliseconds without loss.
    const nanoseconds = fc.oneof(
      fc.integer({ min: -(2 ** 43), max: 2 ** 43 }),
      fc.integer({ min: -9_000_000_000, max: 9_000_000_000 }).map((milliseconds) => milliseconds * 1e6),
    );
    fc.assert(
      fc.property(nanoseconds, (value) => {
        const milliseconds = value / 1e6;
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds === 0 ? 0 : milliseconds);
      }),
    );
  });

  test("parts add up in any order", () => {
    const unit = fc.constantFrom(["h", 3_600_000], ["m", 60_000], ["s", 1_000], ["ms", 1]) as fc.Arbitrary<
      [string, number]
    >;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9_999), unit), { minLength: 1, maxLength: 8 }), (parts) => {
        const text = parts.map(([count, [name]]) => `${count}${name}`).join("");
        expect(parseDuration(text)).toBe(parts.reduce((sum, [count, [, size]]) => sum + count * size, 0));
      }),
    );
  });
});
