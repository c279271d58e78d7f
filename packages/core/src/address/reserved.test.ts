import { expect, test } from "vitest";
import { formatPrefix } from "./prefix.ts";
import { formatSet, prefixSet } from "./prefix-set.ts";
import { linkLocal, privateRanges, reservedRanges } from "./reserved.ts";

test("the ranges of the Go original, in its order, none of them inside another", () => {
  const ranges = [...privateRanges, ...reservedRanges].map(({ prefix }) => prefix);
  expect(ranges.map(formatPrefix)).toEqual([
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
  ]);
  expect(formatSet(prefixSet("IPv4", ranges))).toHaveLength(ranges.length);
});

test("link-local, per family", () => {
  expect(formatPrefix(linkLocal.IPv4)).toBe("169.254.0.0/16");
  expect(formatPrefix(linkLocal.IPv6)).toBe("fe80::/10");
});
