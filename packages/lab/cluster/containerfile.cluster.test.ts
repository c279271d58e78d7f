import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { must, run } from "./cluster.ts";

const image = (name: string) => fileURLToPath(new URL(`../../../deploy/image/${name}`, import.meta.url));

async function missing(): Promise<string | undefined> {
  for (const tool of ["buildah", "mmdebstrap"]) {
    if ((await run([tool, "--version"]).catch(() => ({ exitCode: 127 }))).exitCode !== 0) return `there is no ${tool}`;
  }
  return undefined;
}

const reason = await missing();
if (reason !== undefined) process.stderr.write(`the container file is not built: ${reason}\n`);

/** Files and links below a folder, with what a link points to. */
async function contents(root: string): Promise<readonly string[]> {
  const listing = await must(["find", root, "-not", "-type", "d", "-printf", "%P %l\n"]);
  return listing.split("\n").filter(Boolean).toSorted();
}

describe.skipIf(reason !== undefined)("the container file, built by an engine", () => {
  let directory: string;
  let said: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-containerfile-"));
    said = await must(["bash", image("try-containerfile.sh"), join(directory, "engine")]);
    await must(["bash", image("build.sh"), join(directory, "script")]);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test("holds what build.sh makes without one, file by file", async () => {
    expect(await contents(join(directory, "engine"))).toEqual(await contents(join(directory, "script")));
    expect(said).toContain("[/usr/bin/tini -- /usr/bin/ip-masq-agent] 0:0");
  });

  test("runs: agent, nft and iptables, each with no other files than these", async () => {
    for (const [command, words] of [
      [["/usr/bin/ip-masq-agent", "--version"], "ip-masq-agent 0."],
      [["/usr/sbin/nft", "--version"], "nftables v1.1"],
      [["/usr/sbin/iptables-nft", "--version"], "(nf_tables)"],
      [["/usr/sbin/iptables-legacy", "--version"], "(legacy)"],
      [["/usr/bin/tini", "--version"], "tini"],
      [["/usr/bin/node", "-p", "Object.keys(require('/usr/bin/ip-masq-agent-kubernetes.mjs')).length > 0"], "true"],
    ] as const) {
      expect(await must(["chroot", join(directory, "engine"), ...command])).toContain(words);
    }
  });

  test("nothing in it can be written, and there is no shell", async () => {
    const root = join(directory, "engine");
    expect(await must(["find", root, "-type", "f", "-perm", "/222"])).toBe("");
    expect((await readdir(join(root, "usr/bin"))).toSorted()).toEqual([
      "ip",
      "ip-masq-agent",
      "ip-masq-agent-kubernetes.mjs",
      "node",
      "tini",
    ]);
    expect((await readFile(join(root, "usr/bin/ip-masq-agent"), "utf8")).split("\n")[0]).toBe("#!/usr/bin/node");
  });
});
