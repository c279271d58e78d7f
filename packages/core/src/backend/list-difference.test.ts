import { expect, test } from "vitest";
import { listDifferences } from "./list-difference.ts";

const list = (text: string) => Array.from(text, (key) => ({ key, text: key }));
const differences = (expected: string, found: string) =>
  listDifferences("chain", list(expected), list(found)).map(
    ({ kind, expected: should = "", found: does = "" }) => `${kind} ${should}${does}`,
  );

test.each([
  ["abc", "abc", []],
  ["abc", "", ["missing a", "missing b", "missing c"]],
  ["abc", "ac", ["missing b"]],
  ["abc", "xabc", ["extra x"]],
  ["abc", "abcx", ["extra x"]],
  ["abc", "axc", ["modified bx"]],
  ["abc", "axyc", ["modified bx", "extra y"]],
  ["abc", "acb", ["order bc"]],
  ["abc", "aabc", ["extra a"]],
  ["aab", "ab", ["missing a"]],
  ["abc", "xcb", ["modified ax", "order bc"]],
  ["", "x", ["extra x"]],
])("%j found as %j", (expected, found, kinds) => {
  expect(differences(expected, found)).toEqual(kinds);
});
