import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { configKeys, findKey, nearestKey } from "./schema.ts";

describe("findKey", () => {
  test.each([
    ["nonMasqueradeCIDRs", "nonMasqueradeCIDRs"],
    ["NONMASQUERADECIDRS", "nonMasqueradeCIDRs"],
    ["NonMasqueradeCIDRs", "nonMasqueradeCIDRs"],
    ["masqLin\u212aLocal", "masqLinkLocal"],
    ["ma\u017fqLinkLocal", "masqLinkLocal"],
    ["masqlinklocalipv6", "masqLinkLocalIPv6"],
  ])("%s", (text, key) => {
    expect(findKey(text)).toBe(key);
  });

  // U+0130 and U+0131 become an i in some way of changing case, and in Unicode's simple folding do not.
  test.each(["masqL\u0131nkLocal", "masqL\u0130nkLocal", " cidrLimit", "cidrLimit\n", "cidr-limit", "", "__proto__"])(
    "%j is none",
    (text) => {
      expect(findKey(text)).toBeUndefined();
    },
  );
});

describe("nearestKey", () => {
  test.each([
    ["masqLinkLokal", "masqLinkLocal"],
    ["masq_link_local", "masqLinkLocal"],
    ["masqLinkLocalIPv4", "masqLinkLocalIPv6"],
    ["nonMasqueradeCIDR", "nonMasqueradeCIDRs"],
    ["non-masquerade-cidrs", "nonMasqueradeCIDRs"],
    ["cdirLimit", "cidrLimit"],
    ["resyncIntervall", "resyncInterval"],
    ["resync-interval", "resyncInterval"],
  ])("%s probably means %s", (text, key) => {
    expect(nearestKey(text)).toBe(key);
  });

  test.each(["nonsenseKey", "snatTarget", "", "x", "constructor", "a".repeat(1_000_000)])(
    "nothing is near %.20s",
    (text) => {
      expect(nearestKey(text)).toBeUndefined();
    },
  );

  test("one slip of the pen always leads back", () => {
    const slip = fc
      .constantFrom(...configKeys)
      .chain((key) =>
        fc.tuple(fc.constant(key), fc.nat(key.length - 2), fc.constantFrom("insert", "delete", "replace", "swap")),
      );
    fc.assert(
      fc.property(slip, ([key, at, kind]) => {
        const [head, one = "", two = "", tail] = [key.slice(0, at), key[at], key[at + 1], key.slice(at + 2)];
        const middle = { insert: `${one}z${two}`, delete: two, replace: `z${two}`, swap: two + one }[kind];
        expect(nearestKey(head + middle + tail)).toBe(key);
      }),
    );
  });
});
