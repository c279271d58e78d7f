import { BackendError, type FailureReason } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { fakeNft } from "../test/fake-nft.ts";
import { createNftablesBackend } from "./backend.ts";
import { renderWhole } from "./render.ts";

const never = new AbortController().signal;
const plan = { family: "IPv4", differences: [], transaction: "add table ip x\n", summary: "" } as const;

/** Each as a real program does it; words as nft 1.0.6, 1.1.3 or 1.1.7 print them. */
const failures: readonly (readonly [string, string | undefined, FailureReason, RegExp])[] = [
  ["no nft", undefined, "tool_missing", /install the package nftables/],
  [
    "a library is gone",
    "echo 'nft: error while loading shared libraries: libjansson.so.4: cannot open shared object file: No such file or directory' >&2; exit 127",
    "tool_missing",
    /cannot be started: .*libjansson/,
  ],
  ["it hangs", "exec sleep 60", "timeout", /after 300 ms/],
  [
    "not root, 1.1.3",
    "printf 'Operation not permitted (you must be root)\\nnetlink: Error: cache initialization failed: Operation not permitted\\n' >&2; exit 1",
    "permission",
    /NET_ADMIN/,
  ],
  [
    "not root, 1.1.7",
    "printf 'netlink: Error: cache initialization failed: Operation not permitted\\nError: Operation not permitted (perhaps you must be root?)\\n' >&2; exit 1",
    "permission",
    /NET_ADMIN/,
  ],
  [
    "no nf_tables",
    "echo 'nft: src/mnl.c:60: Unable to initialize Netlink socket: Protocol not supported' >&2; exit 1",
    "unsupported",
    /kernel lacks/,
  ],
  [
    "no nat",
    "printf '/dev/stdin:3:1-9: Error: Could not process rule: Operation not supported\\n' >&2; exit 1",
    "unsupported",
    /nat and masquerade/,
  ],
  [
    "overlap",
    "printf '/dev/stdin:5:39-48: Error: interval overlaps with an existing one\\n' >&2; exit 1",
    "rejected",
    /interval overlaps/,
  ],
  ["a crash", "kill -SEGV $$", "other", /crashed \(SIGSEGV\).*kubernetes#136786/],
  ["a crash behind a shell", "exit 139", "other", /crashed \(exit code 139\)/],
  ["killed from outside", "kill -KILL $$", "other", /failed: SIGKILL/],
  ["without a word", "exit 3", "other", /failed: exit code 3/],
];

describe.each(failures)("%s", (_, script, reason, message) => {
  test.each(["observe", "apply", "probe"] as const)("%s rejects", async (operation) => {
    await using nft = await fakeNft(script);
    const backend = createNftablesBackend({ launcher: nft.launcher, timeoutMs: 300 });
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
    expect(error).toMatchObject({ reason, operation, backend: "nftables", message: expect.stringMatching(message) });
  });
});

test("what nft says is escaped and kept", async () => {
  await using nft = await fakeNft("printf '\\033[31mError: no\\n' >&2; exit 1");
  const backend = createNftablesBackend(nft);
  await expect(backend.apply(plan, never)).rejects.toMatchObject({ stderr: "\\u001b[31mError: no" });
});

test("a program that may not be run is a matter of permission", async () => {
  await using nft = await fakeNft("exit 0", 0o644);
  // Without a launcher, as in production: node itself is refused.
  const path = process.env["PATH"];
  process.env["PATH"] = nft.launcher[1]?.replace("PATH=", "").split(":")[0];
  try {
    await expect(createNftablesBackend().observe("IPv4", never)).rejects.toMatchObject({ reason: "permission" });
  } finally {
    process.env["PATH"] = path;
  }
});

test("an agent that stops ends nft at once", async () => {
  await using nft = await fakeNft("exec sleep 60");
  const started = performance.now();
  const signal = AbortSignal.timeout(100);
  await expect(createNftablesBackend(nft).observe("IPv4", signal)).rejects.toMatchObject({ message: /agent stops/ });
  expect(performance.now() - started).toBeLessThan(5_000);
});

test.each([
  ["yes", /was ended because it wrote more than 16 MiB on stdout; check that the nft in PATH/],
  ["yes & exit 0", /more than 16 MiB on stdout/],
  ["yes >&2", /more than 1 MiB on stderr/],
])("without end: %s", async (script, message) => {
  await using nft = await fakeNft(script);
  const observed = createNftablesBackend({ ...nft, timeoutMs: 60_000 }).observe("IPv4", never);
  await expect(observed).rejects.toMatchObject({ reason: "other", message });
});

describe("observe", () => {
  test.each([
    ["garbage", 'echo \'{"nftables": [{"metainfo"\''],
    ["nothing", "exit 0"],
    ["another table", `echo '{"nftables": [{"table": {"family": "ip", "name": "other"}}]}'`],
  ])("%s rejects, and is never an empty table", async (_, script) => {
    await using nft = await fakeNft(script);
    const observed = createNftablesBackend(nft).observe("IPv4", never);
    await expect(observed).rejects.toMatchObject({ reason: "other", message: /cannot be read/ });
  });

  test.each([
    "Error: No such file or directory\\nlist table ip ip-masq-agent\\n              ^^^^^^^^^^^^^",
    "Error: No such file or directory; did you mean table ‘ip-masq-agent’ in family ip6?",
  ])("%s: no table", async (words) => {
    await using nft = await fakeNft(`printf '${words}\\n' >&2; exit 1`);
    expect(await createNftablesBackend(nft).observe("IPv4", never)).toMatchObject({ present: false, table: undefined });
  });
});

describe("probe", () => {
  const version = (json: string) =>
    `printf 'nftables v1.0.6 (Lester Gooch #5)\\n  cli:\\t\\teditline\\n  json:\\t\\t${json}\\n'`;

  test("tells the version", async () => {
    await using nft = await fakeNft(version("yes"));
    expect(await createNftablesBackend(nft).probe(never)).toEqual({
      variant: "",
      toolVersion: "1.0.6",
      randomFully: true,
      protects: false,
    });
  });

  test("nft without JSON is unsupported", async () => {
    await using nft = await fakeNft(version("no"));
    await expect(createNftablesBackend(nft).probe(never)).rejects.toMatchObject({
      reason: "unsupported",
      message: /JSON/,
    });
  });

  test("a kernel that refuses fully-random is asked again without", async () => {
    const refuse = "echo '/dev/stdin:1:1-2: Error: Could not process rule: Operation not supported' >&2; exit 1";
    const script = `case "$*" in -V) ${version("yes")};; *) if grep -q fully-random; then ${refuse}; fi;; esac`;
    await using nft = await fakeNft(script);
    const backend = createNftablesBackend(nft);
    const can = await backend.probe(never);
    expect(can.randomFully).toBe(false);
    const translation = { kind: "masquerade", randomFully: true, ports: [] } as const;
    const ruleset = backend.render({ family: "IPv4", exempt: { family: "IPv4", prefixes: [] }, translation }, can);
    expect(renderWhole(ruleset)).not.toContain("fully-random");
  });
});

describe("cleanup", () => {
  test("a host without nft has nothing of ours", async () => {
    await using nft = await fakeNft();
    expect(await createNftablesBackend(nft).cleanup("IPv4", never)).toEqual([]);
  });

  test("a kernel without nf_tables has nothing of ours", async () => {
    await using nft = await fakeNft(
      "echo 'nft: Unable to initialize Netlink socket: Protocol not supported' >&2; exit 1",
    );
    expect(await createNftablesBackend(nft).cleanup("IPv6", never)).toEqual([]);
  });

  test("what is there and cannot be removed is an error", async () => {
    const script =
      "case \"$*\" in *list*) ;; *) echo 'Error: Could not process rule: Operation not permitted' >&2; exit 1;; esac";
    await using nft = await fakeNft(script);
    await expect(createNftablesBackend(nft).cleanup("IPv4", never)).rejects.toMatchObject({ reason: "permission" });
  });
});
