import { describe, expect, test } from "vitest";
import { messages, read } from "./test-read.ts";

describe("warnings", () => {
  test.each([
    ["nonMasqueradeCIDRs: []", ["empty-list"]],
    ["nonMasqueradeCIDRs:", ["empty-list"]],
    ["nonMasqueradeCIDRs: [0.0.0.0/0]", ["exempt-everything"]],
    ["nonMasqueradeCIDRs: ['::/0']", ["exempt-everything"]],
    ["nonMasqueradeCIDRs: [128.0.0.0/1, 0.0.0.0/2, 64.0.0.0/2]", ["exempt-everything"]],
    ["nonMasqueradeCIDRs: [128.0.0.0/1, 0.0.0.0/2, 64.0.0.0/3]", []],
    ["nonMasqueradeCIDRs: [10.0.0.0/8, 10.0.0.0/8]", ["cidr-duplicate"]],
    ["nonMasqueradeCIDRs: ['fd00::/16', 'FD00:0::/16']", ["cidr-duplicate"]],
    ["nonMasqueradeCIDRs: [10.1.2.0/24, 10.0.0.0/8, 10.1.0.0/16]", ["cidr-overlap", "cidr-overlap"]],
    ["nonMasqueradeCIDRs: [10.0.0.0/9, 10.128.0.0/9]", []],
    ["nonMasqueradeCIDRs: [169.254.0.0/16]", []],
    ["nonMasqueradeCIDRs: [169.254.1.0/24]\nmasqLinkLocal: true", ["link-local-exempt"]],
    ["nonMasqueradeCIDRs: [169.0.0.0/8]\nmasqLinkLocal: true", ["link-local-exempt"]],
    ["nonMasqueradeCIDRs: ['fe80::/64']\nmasqLinkLocal: true", []],
    ["nonMasqueradeCIDRs: ['fe80::/64']\nmasqLinkLocalIPv6: true", ["link-local-exempt"]],
    ["masqLinkLocal: true\nmasqLinkLocalIPv6: true", []],
  ])("%s", (text, codes) => {
    const result = read(text);
    expect(result.config).toBeDefined();
    expect(result.findings.map(({ code }) => code)).toEqual(codes);
    expect(result.findings.every(({ severity }) => severity === "warning")).toBe(true);
  });

  test("name what covers an entry, and where", () => {
    expect(messages(read("nonMasqueradeCIDRs:\n- 10.1.0.0/16\n- 10.0.0.0/8\n- 10.0.0.0/8\n"))).toEqual([
      'warning cidr-duplicate ip-masq-agent:4: nonMasqueradeCIDRs "10.0.0.0/8": is listed twice (ip-masq-agent:3); remove one of the two; the rules are the same without it',
      'warning cidr-overlap ip-masq-agent:2: nonMasqueradeCIDRs "10.1.0.0/16": is already covered by 10.0.0.0/8 (ip-masq-agent:3); remove one of the two; the rules are the same without it',
    ]);
  });
});
