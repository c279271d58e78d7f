import fc from "fast-check";
import { expect, test } from "vitest";
import { type Family, lastAddress } from "../address/family.ts";
import { formatPrefix, networkOf, parsePrefix } from "../address/prefix.ts";
import { readCIDR } from "./decode.ts";
import { messages, read } from "./test-read.ts";

test("all findings at once, each with its line, its key, its value and a way out", () => {
  const result = read(
    "nonMasqueradeCIDRs:\n- 10.1.2.3/8\n- ~\n- 10.0\n- fd00::/8\n- ::ffff:10.0.0.0/104\ncidrLimit: '64'\nmasqLinkLocal: 1\nresyncInterval: 1d\nmasqLinkLokal: true\n",
    { enableIPv6: false },
  );
  expect(result.config).toBeUndefined();
  expect(messages(result)).toEqual([
    'error cidr-misaligned ip-masq-agent:2: nonMasqueradeCIDRs[0] "10.1.2.3/8": is not aligned: 10.1.2.3 has bits set right of /8; write 10.0.0.0/8, or 10.1.2.3/32 for the one address',
    'error cidr-type ip-masq-agent:3: nonMasqueradeCIDRs[1] "null": is empty; write a CIDR after the dash, or remove the entry',
    'error cidr-type ip-masq-agent:4: nonMasqueradeCIDRs[2] "10": is a number where a CIDR is expected; write a text such as 10.0.0.0/8',
    'error cidr-ipv6-off ip-masq-agent:5: nonMasqueradeCIDRs[3] "fd00::/8": is an IPv6 CIDR, and IPv6 is off; turn it on with --enable-ipv6, or remove the entry',
    'error cidr-v4-mapped ip-masq-agent:6: nonMasqueradeCIDRs[4] "::ffff:10.0.0.0/104": is an IPv4-mapped IPv6 range, which no packet carries as its destination; write the IPv4 range 10.0.0.0/8',
    'error wrong-type ip-masq-agent:7: cidrLimit "64": is a string where a whole number is expected; write a number such as 64, without quotes',
    'error wrong-type ip-masq-agent:8: masqLinkLocal "1": is a number where true or false is expected; write true or false, without quotes',
    'error interval-syntax ip-masq-agent:9: resyncInterval "1d": has the unknown unit "d"; the units are h, m, s, ms, us and ns: 1h30m, 500ms',
    'warning unknown-key ip-masq-agent:10: masqLinkLokal "true": is not a key of the config and means nothing; masqLinkLocal is probably meant',
  ]);
});

test("an unknown key is an error where the config is strict", () => {
  expect(read("nonsense: 1").config).toBeDefined();
  const strict = read("nonsense: 1", { strict: true });
  expect(strict.config).toBeUndefined();
  expect(messages(strict)).toEqual([
    'error unknown-key ip-masq-agent:1: nonsense "1": is not a key of the config; remove it',
  ]);
});

test("a long value is cut in the message, and a file of junk does not fill the log", () => {
  const result = read(`nonMasqueradeCIDRs: ["10.0.0.0/${"9".repeat(100_000)}"]`);
  expect(messages(result)[0]?.length).toBeLessThan(500);
  expect(read(`nonMasqueradeCIDRs: [${"1,".repeat(50_000)}]`).findings).toHaveLength(101);
  expect(read(Array.from({ length: 1_000 }, (_, index) => `k${index}: 1\n`).join("")).config).toBeDefined();
});

test("the short cut for CIDRs agrees with parsePrefix on anything that looks like one", () => {
  const valid = fc.constantFrom<Family>("IPv4", "IPv6").chain((family) => {
    const bits = family === "IPv4" ? 32 : 128;
    return fc
      .tuple(fc.bigInt({ min: 0n, max: lastAddress(family) }), fc.nat(bits))
      .map(([value, length]) => formatPrefix({ family, first: networkOf(value, length, bits), length }));
  });
  const mapped = fc.nat(32).map((length) => `::ffff:0:0/${96 + length}`);
  const junk = fc.string({ maxLength: 24, unit: fc.constantFrom(..."0123456789abcdefF.:/% -") });
  const bent = fc
    .tuple(valid, fc.nat(20), fc.constantFrom("", "0", "1", ":", "::", ".", "/", "f"))
    .map(([text, at, extra]) => text.slice(0, at) + extra + text.slice(at));
  fc.assert(
    fc.property(fc.oneof(valid, mapped, junk, bent), (text) => {
      expect(readCIDR(text)).toEqual(parsePrefix(text));
    }),
    { numRuns: 3_000 },
  );
});
