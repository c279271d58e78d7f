import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressBits, type Family, lastAddress } from "./family.ts";
import { readAddress, readPrefix } from "./kernel-text.ts";
import { formatAddress, formatPrefix, networkOf, parseAddress, parsePrefix } from "./prefix.ts";

const address = fc
  .constantFrom<Family>("IPv4", "IPv6")
  .chain((family) => fc.tuple(fc.constant(family), fc.bigInt({ min: 0n, max: lastAddress(family) })));

describe("prefix text", () => {
  test("what is printed reads back, by people's parser and by the kernel's reader", () => {
    fc.assert(
      fc.property(address, fc.nat(128), ([family, value], size) => {
        const length = Math.min(size, addressBits(family));
        const prefix = { family, first: networkOf(value, length, addressBits(family)), length };
        const text = formatPrefix(prefix);
        if (!(family === "IPv6" && prefix.first >> 32n === 0xffffn)) expect(parsePrefix(text)).toEqual(prefix);
        expect(readPrefix(family, text)).toEqual(prefix);
      }),
    );
  });

  test("both readers agree on any text made of an address's characters", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("0", "1", "9", "a", "F", ":", "::", "."), maxLength: 12 }),
        (text) => {
          const parsed = parseAddress(text);
          const read = readAddress("IPv4", text) ?? readAddress("IPv6", text);
          // The kernel's reader also takes 010.0.0.1: no tool prints it, and refusing it would cost time at each resync.
          if (parsed !== undefined) expect(read).toBe(parsed.value);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("IPv6 as RFC 5952 writes it", () => {
    for (const [text, canonical] of [
      ["2001:DB8:0:0:0:0:0:0/32", "2001:db8::/32"],
      ["FD00:0:0::/16", "fd00::/16"],
      ["::/0", "::/0"],
      ["1:0:0:2:0:0:0:3/128", "1:0:0:2::3/128"],
      ["1:0:2:3:4:5:6:7/128", "1:0:2:3:4:5:6:7/128"],
      ["64:ff9b::192.0.2.0/120", "64:ff9b::c000:200/120"],
    ] as const) {
      const prefix = parsePrefix(text);
      expect("code" in prefix ? prefix : formatPrefix(prefix)).toBe(canonical);
    }
    expect(formatAddress("IPv6", 1n)).toBe("::1");
  });

  test.each([
    ["10.0.0.0", "has no prefix length", "write 10.0.0.0/32"],
    ["fd00::1", "has no prefix length", "write fd00::1/128"],
    ["10.0.0.0/08", 'has the prefix length "08"', "from 0 to 32"],
    ["10.0.0.0/33", 'has the prefix length "33"', "from 0 to 32"],
    ["10.0.0.0/", 'has the prefix length ""', "from 0 to 32"],
    ["10.0.0.0/-1", 'has the prefix length "-1"', "from 0 to 32"],
    ["fd00::/129", 'has the prefix length "129"', "from 0 to 128"],
    ["10.1.2.3/8", "is not aligned", "write 10.0.0.0/8, or 10.1.2.3/32"],
    ["1.0.0.0/0", "is not aligned", "write 0.0.0.0/0"],
    ["fd00::1/64", "is not aligned", "write fd00::/64"],
    ["::ffff:10.0.0.0/104", "IPv4-mapped", "write the IPv4 range 10.0.0.0/8"],
    ["::ffff:0:0/96", "IPv4-mapped", "write the IPv4 range 0.0.0.0/0"],
    [" 10.0.0.0/8", "is not an IPv4 or IPv6 address", "10.0.0.0/8"],
    ["10.0.0.0/8 ", "has the prefix length", "without leading zeros"],
    ["010.0.0.0/8", "is not an IPv4 or IPv6 address", "10.0.0.0/8"],
    ["10.256.0.0/16", "is not an IPv4 or IPv6 address", "10.0.0.0/8"],
    ["fe80::%eth0/10", "is not an IPv4 or IPv6 address", "fd00::/8"],
    ["1::2::3/128", "is not an IPv4 or IPv6 address", "fd00::/8"],
    ["10.0.0.0/8/8", "is not an IPv4 or IPv6 address", "10.0.0.0/8"],
    ["abcdefg", "is not an address", "10.0.0.0/8"],
    ["", "is not an address", "10.0.0.0/8"],
  ])("%j is refused: %s", (text, reason, remedy) => {
    const problem = parsePrefix(text);
    if (!("code" in problem)) throw new Error(`${text} was taken as ${formatPrefix(problem)}`);
    expect(problem.reason).toContain(reason);
    expect(problem.remedy).toContain(remedy);
  });
});
