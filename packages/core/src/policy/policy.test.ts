import { describe, expect, test } from "vitest";
import { type Prefix, parseAddress, parsePrefix } from "../address/prefix.ts";
import { formatSet } from "../address/prefix-set.ts";
import type { Config } from "../config/config.ts";
import { derivePolicy, type PolicyOptions } from "./derive.ts";
import { decide } from "./explain.ts";
import { fingerprint } from "./fingerprint.ts";
import type { FamilyPolicy } from "./policy.ts";
import { portChoices } from "./translation.ts";

function config(cidrs: readonly string[], rest: Partial<Config> = {}): Config {
  return {
    nonMasqueradeCIDRs: cidrs.map((text) => ({ prefix: parsePrefix(text) as Prefix, file: "test" })),
    cidrLimit: 64,
    masqLinkLocal: false,
    masqLinkLocalIPv6: false,
    resyncIntervalMs: 60_000,
    ...rest,
  };
}

const plain: PolicyOptions = { enableIPv6: false, randomFully: true, toPorts: [] };
const dual: PolicyOptions = { ...plain, enableIPv6: true };

describe("derivePolicy", () => {
  test("link-local is exempt unless the config says otherwise, per family", () => {
    const policy = derivePolicy(config(["10.0.0.0/8", "fd00::/8"]), dual);
    expect(formatSet(policy.IPv4.exempt)).toEqual(["10.0.0.0/8", "169.254.0.0/16"]);
    expect(policy.IPv6 && formatSet(policy.IPv6.exempt)).toEqual(["fd00::/8", "fe80::/10"]);
    const bare = derivePolicy(config([], { masqLinkLocal: true, masqLinkLocalIPv6: true }), dual);
    expect([bare.IPv4.exempt.prefixes, bare.IPv6?.exempt.prefixes]).toEqual([[], []]);
  });

  test("a family that is off has no policy, and its entries mean nothing", () => {
    expect(derivePolicy(config(["fd00::/8"]), plain).IPv6).toBeUndefined();
  });

  test("spelling and order do not matter, meaning does", () => {
    const hash = (...cidrs: readonly string[]) => fingerprint(derivePolicy(config(cidrs), dual));
    expect(hash("10.0.0.0/8", "10.1.0.0/16", "FD00:0::/16")).toBe(hash("fd00::/16", "10.0.0.0/9", "10.128.0.0/9"));
    expect(hash("10.0.0.0/8")).not.toBe(hash("10.0.0.0/9"));
    const ports = [{ first: 80, last: 90 }];
    expect(fingerprint(derivePolicy(config([]), { ...plain, toPorts: ports }))).not.toBe(hash());
    expect(fingerprint(derivePolicy(config([]), { ...plain, randomFully: false }))).not.toBe(hash());
  });
});

describe("decide", () => {
  const options = { ...plain, toPorts: [{ first: 1024, last: 2047 }] };
  const policy: FamilyPolicy = derivePolicy(config(["10.0.0.0/8"]), options).IPv4;
  const to = (text: string) => parseAddress(text)?.value ?? 0n;

  test("local first, then exempt, then masquerade", () => {
    expect(decide(policy, { destination: to("10.0.0.1"), local: true })).toEqual({ verdict: "local" });
    expect(decide(policy, { destination: to("10.255.255.255") })).toMatchObject({
      verdict: "exempt",
      by: { length: 8 },
    });
    expect(decide(policy, { destination: to("11.0.0.0") }).verdict).toBe("masquerade");
    expect(decide(policy, { destination: to("9.255.255.255") }).verdict).toBe("masquerade");
  });

  test("port ranges are for tcp, udp and sctp", () => {
    const ports = (protocol: string) => decide(policy, { destination: to("1.1.1.1"), protocol });
    expect(ports("tcp")).toMatchObject({ ports: [{ first: 1024, last: 2047 }] });
    expect(ports("icmp")).toMatchObject({ ports: [] });
  });
});

test("a range of ports is drawn as often as it has ports", () => {
  const choices = portChoices([
    { first: 42, last: 44 },
    { first: 42, last: 43 },
    { first: 80, last: 80 },
  ]);
  let left = 1;
  const shares = choices.map(({ chosen, outOf }) => {
    const share = left * (chosen / outOf);
    left -= share;
    return share;
  });
  expect(shares.map((share) => Math.round(share * 6))).toEqual([3, 2, 1]);
  expect(left).toBeCloseTo(0);
});
