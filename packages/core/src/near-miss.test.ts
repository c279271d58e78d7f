import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editDistance, nearest } from "./near-miss.ts";

test("edit distance is a distance, and 0 for equals alone", () => {
  const text = fc.string({ maxLength: 8, unit: fc.constantFrom("a", "b", "c") });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const edits = editDistance(a, b);
      expect(edits).toBe(editDistance(b, a));
      expect(edits === 0).toBe(a === b);
      expect(edits).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
      expect(edits).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
  expect(editDistance("cidr", "cdir")).toBe(1);
  expect(editDistance("kitten", "sitting")).toBe(3);
});

describe("nearest", () => {
  const words = ["run", "plan", "explain", "validate", "v"] as const;

  test.each([
    ["rnu", "run"],
    ["plna", "plan"],
    ["plane", "plan"],
    ["explian", "explain"],
    ["expain", "explain"],
    ["xplian", "explain"],
    ["valdiaet", "validate"],
  ])("%s probably means %s", (written, word) => {
    expect(nearest(written, words, { most: 2 })).toBe(word);
  });

  // Three edits; two in a word of four; one in a word of one; nothing like any.
  test.each(["vlidaet1", "palne", "x", "", "start", "a".repeat(1_000_000)])("nothing is near %.20s", (written) => {
    expect(nearest(written, words, { most: 2 })).toBeUndefined();
  });

  test("fewer edits win, and then the first", () => {
    expect(nearest("planx", ["plant", "planxy", "plany"])).toBe("plant");
    expect(nearest("abcdeg", ["xbcdef", "abcdef"])).toBe("abcdef");
  });

  test("letters that do not matter are left out on both sides", () => {
    const letters = (word: string) => word.toLowerCase().replaceAll("-", "");
    expect(nearest("EnableIp6", ["enable-ipv6"], { letters, most: 2 })).toBe("enable-ipv6");
  });
});
