import { expect, test } from "vitest";
import { type FakeTools, fakeTools } from "../test/fake-iptables.ts";
import { createIptablesBackend } from "./backend.ts";
import { sightVariant } from "./variant.ts";

const never = new AbortController().signal;
const kube = "printf '*nat\\n:KUBE-SERVICES - [0:0]\\n[0:0] -A KUBE-SERVICES -j RETURN\\nCOMMIT\\n'";
const others = "printf '*nat\\n:FOO - [0:0]\\n[0:0] -A FOO -j RETURN\\nCOMMIT\\n'";
const empty = "printf '*nat\\n:POSTROUTING ACCEPT [0:0]\\nCOMMIT\\n'";

/** Legacy tools that print a table, on a node whose kernel names these as in use in /proc. */
function legacyNode(script: string, tables: string): Promise<FakeTools> {
  const cat = tables === "" ? "echo 'cat: x: No such file or directory' >&2; exit 1" : `printf '${tables}'`;
  return fakeTools({ "iptables-legacy-save": script, "ip6tables-legacy-save": script, cat });
}

test.each([
  ["kube-proxy's", kube, { kubernetes: true, inUse: true }],
  ["others'", others, { kubernetes: false, inUse: true }],
  ["no", empty, { kubernetes: false, inUse: false }],
  ["unreadable", "exit 1", { kubernetes: false, inUse: false }],
] as const)("nft: %s rules", async (_, script, seen) => {
  await using tools = await fakeTools({ "iptables-nft-save": script, "ip6tables-nft-save": script });
  expect(await sightVariant("nft", tools, never)).toEqual({ variant: "nft", ...seen });
});

test.each([
  ["nat is in use", "filter\\nnat\\n", true],
  ["another table is in use", "filter\\nmynat\\n", false],
  ["no modules are loaded", "", false],
] as const)("legacy, where %s", async (_, tables, kubernetes) => {
  await using tools = await legacyNode(kube, tables);
  expect(await sightVariant("legacy", tools, never)).toEqual({ variant: "legacy", kubernetes, inUse: kubernetes });
});

test("cleaning up runs no legacy tool where no legacy table is in use", async () => {
  await using tools = await legacyNode("echo 'modules loaded' >&2; exit 1", "filter\\n");
  const backend = createIptablesBackend({ variant: "legacy", launcher: tools.launcher });
  expect(await backend.cleanup("IPv4", never)).toEqual([]);
});

test("what cannot be told is an error, not an absence", async () => {
  await using tools = await fakeTools({ cat: "echo 'cat: x: Permission denied' >&2; exit 1" });
  const backend = createIptablesBackend({ variant: "legacy", launcher: tools.launcher });
  await expect(backend.cleanup("IPv4", never)).rejects.toMatchObject({ reason: "permission" });
});

test("a host without the tool has nothing of ours", async () => {
  await using tools = await fakeTools({});
  const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher });
  expect(await backend.cleanup("IPv6", never)).toEqual([]);
});
