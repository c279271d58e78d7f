import { createHash } from "node:crypto";
import { formatSet } from "../address/prefix-set.ts";
import type { FamilyPolicy, Policy } from "./policy.ts";
import { formatPortRange } from "./translation.ts";

/**
 * A stable hash of what a policy decides: 64 hex digits (SHA-256). Equal policies have equal hashes on every node and
 * in every version that means the same by them; spelling and order of the config do not matter.
 */
export function fingerprint(policy: Policy): string {
  const hash = createHash("sha256");
  for (const family of [policy.IPv4, policy.IPv6]) if (family !== undefined) hash.update(canonicalText(family));
  return hash.digest("hex");
}

function canonicalText({ family, exempt, translation }: FamilyPolicy): string {
  const ports = translation.ports.map(formatPortRange).join(",");
  const how = `${translation.kind} random-fully=${translation.randomFully} ports=${ports}`;
  return `${family}\n${formatSet(exempt).join("\n")}\n${how}\n`;
}
