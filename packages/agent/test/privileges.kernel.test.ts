import { chmod } from "node:fs/promises";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { agentFile } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NodeUnderTest, openNode } from "./node-under-test.ts";

let node: NodeUnderTest;
beforeEach(async () => {
  node = await openNode();
  await node.write("nonMasqueradeCIDRs: [10.0.0.0/8]\n");
  await chmod(node.directory, 0o755);
});
afterEach(() => node[Symbol.asyncDispose]());

const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const withAdmin = [...nobody, "--inh-caps=+net_admin", "--ambient-caps=+net_admin"];

function agent(user: readonly string[], ...words: readonly string[]): Promise<CommandResult> {
  const common = [`--config=${node.file}`, "--metrics-address=127.0.0.1:10266"];
  return node.lab.run([...user, process.execPath, agentFile, ...words, ...common]);
}

const needy = [
  ["run"],
  ["run", "--once"],
  ["--once", "--backend=iptables-legacy"],
  ["explain", "10.1.2.3"],
  ["plan"],
  ["plan", "--script"],
  ["cleanup"],
  ["cleanup", "--dry-run"],
] as const;

describe("as nobody", () => {
  test.each(needy.map((words) => [words] as const))("%j says what it needs in one line, exit code 1", async (words) => {
    const { exitCode, stdout, stderr } = await agent(nobody, ...words);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(
      /^ip-masq-agent: \w+ needs root, or NET_ADMIN.*, and this is user 65534, .*; run it as root.*\n$/,
    );
  });

  test.each([
    [["validate"], 0],
    [["status"], 1],
    [["completion", "bash"], 0],
    [["help"], 0],
    [["plan", "help"], 0],
    [["version"], 0],
  ] as const)("%j answers as for root", async (words, code) => {
    const [asRoot, asNobody] = [await agent([], ...words), await agent(nobody, ...words)];
    expect(asNobody.exitCode).toBe(code);
    expect(asNobody).toEqual(asRoot);
  });

  test("status of a running agent", async () => {
    const running = node.start("--backend=nftables");
    await running.line(({ msg }) => msg.startsWith("rules"));
    const { exitCode, stdout } = await agent(nobody, "status");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("in force");
  });

  test("doctor says what it needs first, and then what it can see", async () => {
    const { exitCode, stdout, stderr } = await agent(nobody, "doctor");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^ip-masq-agent: doctor needs root, or NET_ADMIN, .*\n$/);
    expect(stdout).toContain("the capability NET_ADMIN is missing");
    expect(stdout).toContain(`valid: ${node.file}`);
  });
});

describe("as nobody with the ambient capability NET_ADMIN", () => {
  test("nftables rules are written", async () => {
    expect(await agent(withAdmin, "run", "--once", "--backend=nftables")).toMatchObject({ exitCode: 0 });
    expect(await node.must("nft", "list", "ruleset")).toContain("masquerade");
  });

  test("what only root may read is told in one line, and no stack", async () => {
    for (const words of [
      ["explain", "10.1.2.3"],
      ["plan", "--backend=nftables"],
    ]) {
      const { exitCode, stderr } = await agent(withAdmin, ...words);
      expect({ words, exitCode, stderr }).toEqual({
        ...{ words, exitCode: 1 },
        stderr: expect.stringMatching(
          /^ip-masq-agent: \/proc\/net\/ip6?_tables_names cannot be read \(EACCES\); run as root\n$/,
        ),
      });
    }
  });
});

test("root without NET_RAW is told what iptables-legacy lacks", async () => {
  const poor = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];
  const { exitCode, stderr } = await agent(poor, "run", "--once", "--backend=iptables-legacy");
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^ip-masq-agent: run needs .* root here lacks the capability NET_RAW; add it .*\n$/);
  expect(await agent(poor, "run", "--once", "--backend=nftables")).toMatchObject({ exitCode: 0 });
});
