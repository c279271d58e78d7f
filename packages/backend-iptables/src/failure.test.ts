import { BackendError, type FailureReason } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { fakeVariant } from "../test/fake-iptables.ts";
import { createIptablesBackend } from "./backend.ts";
import type { Variant } from "./names.ts";

const never = new AbortController().signal;
const plan = {
  family: "IPv4",
  differences: [],
  transaction: "*nat\n-D POSTROUTING -j X\nCOMMIT\n",
  summary: "",
} as const;
/** A program that prints lines on stderr and ends. */
function fails(exitCode: number, ...lines: readonly string[]): string {
  const words = lines.map((line) => `'${line.replaceAll("'", "'\\''")}'`);
  return `printf '%s\\n' ${words.join(" ")} >&2; exit ${exitCode}`;
}

const atLine2 = [
  "Error occurred at line: 2",
  "Try `iptables-restore -h' or 'iptables-restore --help' for more information.",
];

/** Each as a real program does it; words as 1.8.9 and 1.8.11 print them. */
const failures: readonly (readonly [string, Variant, string | undefined, FailureReason, RegExp])[] = [
  ["no iptables", "nft", undefined, "tool_missing", /iptables-nft-\w+ is not in PATH; install the package iptables/],
  ["no iptables", "legacy", undefined, "tool_missing", /iptables-legacy-\w+ is not in PATH/],
  [
    "a library is gone",
    "nft",
    fails(
      127,
      "x: error while loading shared libraries: libxtables.so.12: cannot open shared object file: No such file",
    ),
    "tool_missing",
    /cannot be started: .*libxtables/,
  ],
  ["it hangs", "nft", "while :; do :; done", "timeout", /after 300 ms/],
  [
    "the lock is held",
    "legacy",
    fails(
      4,
      "Can't lock /run/xtables.lock: Resource temporarily unavailable",
      "Another app is currently holding the xtables lock. Stopped waiting after 5s.",
    ),
    "lock",
    /within 5 s; find it with: fuser/,
  ],
  [
    "no right to the lock",
    "legacy",
    fails(4, "Fatal: can't open lock file /run/xtables.lock: Read-only file system"),
    "permission",
    /mount the host's .run.xtables.lock writable/,
  ],
  [
    "not root",
    "nft",
    fails(
      4,
      "iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)",
    ),
    "permission",
    /may not \w+: Could not fetch .*; run as root with NET_ADMIN$/,
  ],
  [
    "not root",
    "legacy",
    fails(1, "iptables-save v1.8.9 (legacy): Cannot initialize: Permission denied (you must be root)"),
    "permission",
    /run as root with NET_ADMIN and NET_RAW$/,
  ],
  [
    "no modules",
    "legacy",
    fails(1, "iptables-save v1.8.9 (legacy): Cannot initialize: Table does not exist (do you need to insmod?)"),
    "unsupported",
    /lacks what is needed: Cannot initialize: Table does not exist/,
  ],
  [
    "no table to write to",
    "legacy",
    fails(2, "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'nat'", ...atLine2),
    "unsupported",
    /has no iptable_nat, or the agent has not NET_ADMIN and NET_RAW/,
  ],
  [
    "no extension",
    "nft",
    fails(
      2,
      "iptables-nft-restore v1.8.9 (nf_tables): Couldn't load match `statistic':No such file or directory",
      "",
      ...atLine2,
    ),
    "unsupported",
    /Couldn't load match `statistic'/,
  ],
  [
    "an old tool",
    "legacy",
    fails(2, 'iptables-restore v1.6.1: unknown option "--random-fully"', ...atLine2),
    "unsupported",
    /unknown option "--random-fully"/,
  ],
  [
    "no nat in the kernel",
    "nft",
    fails(
      4,
      "iptables-nft-restore v1.8.9 (nf_tables): ",
      "line 3: CHAIN_ADD failed (Operation not supported): chain POSTROUTING",
    ),
    "unsupported",
    /lacks what is needed: line 3: CHAIN_ADD failed/,
  ],
  [
    "a rule is gone",
    "nft",
    fails(
      1,
      "# Warning: iptables-legacy tables present, use iptables-legacy to see them",
      "iptables-nft-restore: line 2 failed: Bad rule (does a matching rule exist in that chain?).",
    ),
    "rejected",
    /refused the rules: iptables-nft-restore: line 2 failed: Bad rule/,
  ],
  ["a rule is gone", "legacy", fails(1, "iptables-restore: line 2 failed"), "rejected", /line 2 failed/],
  [
    "a chain is gone",
    "legacy",
    fails(2, "iptables-restore v1.8.9 (legacy): Couldn't load target `X':No such file or directory", "", ...atLine2),
    "rejected",
    /refused the rules: Couldn't load target `X'/,
  ],
  [
    "too many levels",
    "nft",
    fails(
      4,
      "iptables-nft-restore v1.8.9 (nf_tables): ",
      "line 2: RULE_APPEND failed (Too many links): rule in chain POSTROUTING",
    ),
    "rejected",
    /refused the rules: line 2: RULE_APPEND failed \(Too many links\)/,
  ],
  ["killed from outside", "nft", "kill -KILL $$", "other", /failed: SIGKILL/],
  ["without a word", "legacy", "exit 3", "other", /failed: exit code 3/],
];

describe.each(failures)("%s, %s", (_, variant, script, reason, message) => {
  test.each(["observe", "apply", "probe"] as const)("%s rejects", async (operation) => {
    await using tools = await fakeVariant(variant, script);
    const backend = createIptablesBackend({ variant, launcher: tools.launcher, timeoutMs: 300 });
    const run = {
      observe: () => backend.observe("IPv4", never),
      apply: () => backend.apply(plan, never),
      probe: () => backend.probe(never),
    };
    const error = await run[operation]().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(BackendError);
    const expected = { reason, operation, backend: `iptables-${variant}`, message: expect.stringMatching(message) };
    expect(error).toMatchObject(expected);
  });
});

test("a refusal shows the line that was refused", async () => {
  await using tools = await fakeVariant("legacy", fails(1, "iptables-restore: line 2 failed"));
  const backend = createIptablesBackend({ variant: "legacy", launcher: tools.launcher });
  await expect(backend.apply(plan, never)).rejects.toMatchObject({ message: /\(line 2: -D POSTROUTING -j X\)$/ });
});

test("what the tool says is escaped and kept", async () => {
  await using tools = await fakeVariant("nft", "printf '\\033[31mno\\n' >&2; exit 1");
  const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher });
  await expect(backend.apply(plan, never)).rejects.toMatchObject({ stderr: "\\u001b[31mno" });
});

test("an agent that stops ends the tool at once", async () => {
  await using tools = await fakeVariant("nft", "while :; do :; done");
  const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher });
  const started = performance.now();
  const observed = backend.observe("IPv4", AbortSignal.timeout(100));
  await expect(observed).rejects.toMatchObject({ message: /agent stops/ });
  expect(performance.now() - started).toBeLessThan(5_000);
});

test.each([
  [">&1", /iptables-nft-save was ended because it wrote more than 64 MiB on stdout; .* how many rules/],
  [">&2", /more than 1 MiB on stderr/],
])("without end: %s", async (to, message) => {
  await using tools = await fakeVariant("nft", `exec /usr/bin/yes ${to}`);
  const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher, timeoutMs: 60_000 });
  await expect(backend.observe("IPv4", never)).rejects.toMatchObject({ reason: "other", message });
});

describe("observe", () => {
  test.each([
    ["nothing", "exit 0", /0 characters/],
    ["half a table", "printf '*nat\\n:POSTROUTING ACCEPT [0:0]\\n'", /not whole/],
    ["half a line", "printf '*nat\\n:POSTROUTING ACCEPT [0:0]\\nCOMMIT'", /not whole/],
    [
      "another program's rules",
      "echo \"# Table \\`nat' is incompatible, use 'nft' tool.\"",
      /is incompatible, use 'nft'/,
    ],
  ])("%s rejects, and is never an empty table", async (_, script, message) => {
    await using tools = await fakeVariant("nft", script);
    const backend = createIptablesBackend({ variant: "nft", launcher: tools.launcher });
    await expect(backend.observe("IPv4", never)).rejects.toMatchObject({ reason: "other", message });
  });
});
