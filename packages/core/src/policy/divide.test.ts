import { expect, test } from "vitest";
import { type Prefix, parsePrefix } from "../address/prefix.ts";
import { formatSet, prefixSet } from "../address/prefix-set.ts";
import { divide } from "./divide.ts";

const set = (...cidrs: readonly string[]) =>
  prefixSet(
    "IPv4",
    cidrs.map((text) => parsePrefix(text) as Prefix),
  );

test("a range falls into what is local, what is exempt, and the rest", () => {
  const parts = divide(set("10.0.0.0/7"), set("10.0.0.1/32", "127.0.0.0/8"), set("10.0.0.0/8", "192.168.0.0/16"));
  expect(formatSet(parts.local)).toEqual(["10.0.0.1/32"]);
  expect(formatSet(parts.exempt).slice(0, 3)).toEqual(["10.0.0.0/32", "10.0.0.2/31", "10.0.0.4/30"]);
  expect(formatSet(parts.masquerade)).toEqual(["11.0.0.0/8"]);
});

test("a local address is local, exempt or not; one address has one part", () => {
  const parts = divide(set("10.0.0.1/32"), set("10.0.0.1/32"), set("10.0.0.0/8"));
  expect([parts.local, parts.exempt, parts.masquerade].map((part) => formatSet(part))).toEqual([
    ["10.0.0.1/32"],
    [],
    [],
  ]);
});
