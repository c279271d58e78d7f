import { describe, expect, test } from "vitest";
import { fakeTools, fakeVariant } from "../test/fake-iptables.ts";
import { policy } from "../test/policy.ts";
import { createIptablesBackend } from "./backend.ts";
import { renderRule } from "./render.ts";

const never = new AbortController().signal;
const saved = "printf '*nat\\nCOMMIT\\n'";

test.each([
  ["nft", "iptables v1.8.9 (nf_tables)", "1.8.9", true],
  ["legacy", "iptables v1.8.11 (legacy)", "1.8.11", true],
  ["legacy", "iptables v1.6.2", "1.6.2", true],
  ["legacy", "iptables v1.6.1", "1.6.1", false],
  ["legacy", "iptables v1.4.21", "1.4.21", false],
  ["nft", "iptables of a vendor (nf_tables)", "unknown", true],
] as const)("%s: %s", async (variant, version, toolVersion, randomFully) => {
  await using tools = await fakeVariant(variant, `echo '${version}'`);
  const backend = createIptablesBackend({ variant, launcher: tools.launcher });
  const can = await backend.probe(never);
  expect(can).toEqual({ variant, toolVersion, randomFully });
  const rules = backend.render(policy("IPv4", []), can).chains.flatMap((chain) => chain.rules.map(renderRule));
  expect(rules.join("\n").includes("--random-fully")).toBe(randomFully);
});

test("a tool that says it is of the other variant is refused", async () => {
  await using tools = await fakeVariant("nft", "echo 'iptables v1.8.9 (legacy)'");
  const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher });
  const expected = { reason: "unsupported", message: /--backend=iptables-legacy/ };
  await expect(backend.probe(never)).rejects.toMatchObject(expected);
});

test("the backend that its message names as the remedy can run", async () => {
  const says = "echo 'iptables v1.8.9 (legacy)'";
  await using tools = await fakeTools({ "iptables-nft-restore": says, "iptables-legacy-restore": says });
  const { launcher } = tools;
  const message = await createIptablesBackend({ variant: "nft", launcher })
    .probe(never)
    .catch((error: Error) => error.message);
  const variant = /choose --backend=iptables-(nft|legacy)$/.exec(String(message))?.[1] === "legacy" ? "legacy" : "nft";
  expect(await createIptablesBackend({ variant, launcher }).probe(never)).toMatchObject({ variant: "legacy" });
});

describe("where no tool has the variant in its name", () => {
  const plain = (version: string) => ({
    "iptables-save": `case "$*" in --version) echo '${version}';; *) ${saved};; esac`,
    "iptables-restore": `echo '${version}'`,
  });

  test("the one without serves if it is of this variant", async () => {
    await using tools = await fakeTools(plain("iptables v1.8.10 (nf_tables)"));
    const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher });
    expect(await backend.probe(never)).toMatchObject({ variant: "nft", toolVersion: "1.8.10" });
    for (let time = 0; time < 2; time++) expect(await backend.observe("IPv4", never)).toMatchObject({ present: false });
  });

  test("and is not run for more than its version if it is not", async () => {
    await using tools = await fakeTools(plain("iptables v1.8.10 (legacy)"));
    const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher });
    await expect(backend.probe(never)).rejects.toMatchObject({
      reason: "tool_missing",
      message: /iptables-nft-restore/,
    });
    await expect(backend.observe("IPv4", never)).rejects.toMatchObject({ reason: "tool_missing" });
  });

  test("one family's tools may be there without the other's", async () => {
    await using tools = await fakeTools(plain("iptables v1.8.10 (nf_tables)"));
    const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher });
    const expected = { reason: "tool_missing", family: "IPv6", message: /ip6tables-nft-save is not in PATH/ };
    await expect(backend.observe("IPv6", never)).rejects.toMatchObject(expected);
  });
});
