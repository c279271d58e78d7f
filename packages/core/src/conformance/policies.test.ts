import { expect, test } from "vitest";
import { families } from "../address/family.ts";
import { readAddress } from "../address/kernel-text.ts";
import { contains, prefixSet } from "../address/prefix-set.ts";
import { fingerprint } from "../policy/fingerprint.ts";
import { insideAddress, many, outsideAddress, samplePolicies, switchedPolicies } from "./policies.ts";

test.each(families)("%s: no two sample policies are equal", (family) => {
  const fingerprints = samplePolicies(family).map(({ policy }) => fingerprint({ IPv4: policy }));
  expect(new Set(fingerprints).size).toBe(fingerprints.length);
});

test.each(families)("%s: all but one address leaves just that one", (family) => {
  const named = samplePolicies(family).find(({ name }) => name === "everything but one address exempt");
  const address = readAddress(family, outsideAddress[family]) ?? 0n;
  expect(named?.policy.exempt.prefixes).toHaveLength(family === "IPv4" ? 32 : 128);
  expect(named && [-1n, 0n, 1n].map((step) => contains(named.policy.exempt, address + step))).toEqual([
    true,
    false,
    true,
  ]);
});

test.each(families)("%s: many prefixes never merge", (family) => {
  expect(prefixSet(family, many(family, 1_000)).prefixes).toHaveLength(1_000);
});

test.each(families)("%s: switches keep two decisions, and each changes the exempt set", (family) => {
  const policies = switchedPolicies(family);
  const decides = (address: string) =>
    policies.map(({ exempt }) => contains(exempt, readAddress(family, address) ?? 0n));
  expect(decides(insideAddress[family])).toEqual(policies.map(() => true));
  expect(decides(outsideAddress[family])).toEqual(policies.map(() => false));
  for (const [index, policy] of policies.entries()) expect(policy.exempt).not.toEqual(policies[index + 1]?.exempt);
});
