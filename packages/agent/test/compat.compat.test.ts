import { type Family, type FamilyPolicy, families, type Prefix, parsePrefix, prefixSet } from "@ip-masq-agent/core";
import { agentFile, openNamespace } from "@ip-masq-agent/lab";
import { describe, expect, test } from "vitest";
import type { BackendName } from "../src/backends.ts";
import { parseCommandLine } from "../src/flags/options.ts";
import { backendIn, names } from "./backends.ts";
import { type Case, type Rules, readCases } from "./cases.ts";

const { cases, from } = readCases();
process.stderr.write(`compatibility: ${cases.length} cases, ${from}\n`);

/**
 * Each case with the bundled agent in a namespace of its own, whose /etc/config is the case's. What is then in the
 * kernel is read back as the policy that it amounts to and compared with what the original's rules amounted to.
 */
describe.each(names)("%s", (backend) => {
  test.concurrent.each(cases.filter(({ expected }) => expected === "applied"))("$id: applied", async (one) => {
    await inNode(one, async ({ launcher, agent }) => {
      // A lock that is held for a while is waited for by the running agent, not by one pass.
      const ended = await agent(one.id.includes("lock") ? "until-applied" : "once", backend, one);
      expect(ended).toMatchObject({ exitCode: 0 });
      for (const family of families)
        expect(await policyIn(launcher, backend, family, one)).toEqual(expectedPolicy(family, one));
    });
  });

  test.concurrent.each(cases.filter(({ expected }) => expected !== "applied"))(
    "$id: $expected, kernel untouched",
    async (one) => {
      await inNode(one, async ({ launcher, agent }) => {
        const ended = await agent("once", backend, one);
        expect(ended.exitCode).toBe(one.expected === "exits" ? 2 : 1);
        expect(ended.stderr.trim()).not.toBe("");
        // Without the capability the kernel cannot be looked into by the agent; we can.
        for (const family of families) {
          const seen = await backendIn(launcher, backend).observe(family, AbortSignal.timeout(10_000));
          expect(seen.present).toBe(false);
        }
      });
    },
  );
});

test.concurrent.each(cases.filter((one) => one.expected === "refused" && isAboutConfig(one)))(
  "$id: validate says what and where",
  async (one) => {
    await inNode(one, async ({ run }) => {
      const { exitCode, stderr } = await run([process.execPath, agentFile, "validate", ...one.args]);
      expect(exitCode).toBe(1);
      expect(stderr).toContain("/etc/config");
      expect(stderr).toMatch(/^error: /m);
    });
  },
);

interface Node {
  readonly launcher: readonly string[];
  run(command: readonly string[]): Promise<{ readonly exitCode: number; readonly stderr: string }>;
  agent(
    how: "once" | "until-applied",
    backend: BackendName,
    one: Case,
  ): Promise<{ readonly exitCode: number; readonly stderr: string }>;
}

async function inNode(one: Case, body: (node: Node) => Promise<void>): Promise<void> {
  await using space = await openNamespace();
  const must = async (command: readonly string[], input?: string) => {
    const result = await space.run(command, input);
    if (result.exitCode !== 0) throw new Error(`${command.join(" ")}: ${result.stderr}`);
  };
  // What is written to /etc here is written to memory, and seen in this namespace alone.
  await must(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
  await must(["mkdir", "/mnt/upper", "/mnt/work"]);
  await must([
    "mount",
    "-t",
    "overlay",
    "overlay",
    "-o",
    "lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work",
    "/etc",
  ]);
  await must(["mkdir", "-p", "/etc/config"]);
  const text = one.configBase64 === undefined ? one.config : undefined;
  if (text !== undefined && text !== null) await must(["tee", "/etc/config/ip-masq-agent"], text);
  if (one.configBase64 !== undefined) {
    await must(["sh", "-c", `printf %s '${one.configBase64}' | base64 -d > /etc/config/ip-masq-agent`]);
  }
  // Seconds are enough to show that a held lock is waited for.
  if (one.pre !== undefined) await must(["sh", "-c", one.pre.replace("sleep 60", "sleep 7")]);
  await body({
    launcher: space.launcher,
    run: (command) => space.run(command),
    async agent(how, backend, { args }) {
      const [wrapper, own] = unwrap(args);
      const command = [...wrapper, process.execPath, agentFile, `--backend=${backend}`, "--once", ...own];
      for (;;) {
        const ended = await space.run(command);
        if (ended.exitCode === 0 || how === "once") return ended;
      }
    },
  });
}

/** Some cases tell of a wrapper around the agent in place of flags. */
function unwrap(args: readonly string[]): readonly [wrapper: readonly string[], own: readonly string[]] {
  if (args[0] === "wrapped") return [[...args.slice(2), "--"], []];
  return args[0]?.startsWith("PATH=") ? [["env", args[0]], []] : [[], args];
}

/** Those where the config is what is refused, not what the agent is allowed or finds on the machine. */
function isAboutConfig({ args }: Case): boolean {
  return unwrap(args)[0].length === 0;
}

async function policyIn(
  launcher: readonly string[],
  backend: BackendName,
  family: Family,
  one: Case,
): Promise<unknown> {
  const line = parseCommandLine(unwrap(one.args)[1]);
  const chain = "options" in line ? line.options.masqChain : "";
  const { present, policy } = await backendIn(launcher, backend, chain).observe(family, AbortSignal.timeout(10_000));
  return policy === undefined ? (present ? "unreadable" : "nothing") : comparable(policy);
}

function expectedPolicy(family: Family, { upstream }: Case): unknown {
  const rules = family === "IPv4" ? upstream.ipv4 : upstream.ipv6;
  return rules === null || rules === undefined ? "nothing" : comparable(policyOf(family, rules));
}

/** What the original's rules amount to. */
function policyOf(family: Family, { exempt, masquerade }: Rules): FamilyPolicy {
  const everything = family === "IPv4" ? "0.0.0.0/0" : "::/0";
  const prefixes = exempt.map((text) => parsePrefix(text === "all" ? everything : text) as Prefix);
  const ports = masquerade
    .filter(({ protocol }) => protocol === "tcp")
    .map(({ toPorts = "" }) => {
      const [first = "", last = first] = toPorts.split("-");
      return { first: Number(first), last: Number(last) };
    });
  const randomFully = masquerade.at(-1)?.randomFully ?? false;
  return { family, exempt: prefixSet(family, prefixes), translation: { kind: "masquerade", randomFully, ports } };
}

function comparable({ exempt, translation }: FamilyPolicy): unknown {
  return { exempt: exempt.prefixes.map(({ first, length }) => `${first}/${length}`), translation };
}
