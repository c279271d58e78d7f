import type { Family } from "@ip-masq-agent/core";
import { conformance, type Subject, type Tampering } from "@ip-masq-agent/core/conformance";
import { createLab, type Lab, toolchains } from "@ip-masq-agent/lab";
import { afterAll, beforeAll, test } from "vitest";
import { createNftablesBackend } from "../src/index.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const variants = toolchains().flatMap((toolchain) => [
  { toolchain, protect: "off" as const },
  // Where tables can be owned. What others do to them there is refused, so there is nothing to see and to repair.
  ...(toolchain.name === "trixie" ? [{ toolchain, protect: "on" as const }] : []),
]);

for (const { toolchain, protect } of variants) {
  const nft = (input: string) => run([...toolchain.prefix, "nft", "-f", "-"], input);
  const tampering = (name: string, kinds: Tampering["kinds"], ...lines: readonly string[]): Tampering => ({
    name,
    kinds,
    async tamper(_, family) {
      const own = {
        T: `${family === "IPv4" ? "ip" : "ip6"} ip-masq-agent`,
        A: sample[family].inside,
        B: sample[family].other,
        H: await firstHandle(toolchain.prefix, family),
      };
      await nft(
        lines.map((line) => line.replaceAll(/\b[TABH]\b/g, (word) => own[word as keyof typeof own])).join("\n"),
      );
    },
  });
  conformance({
    test,
    name: `nftables, ${toolchain.name}${protect === "on" ? ", protected" : ""}`,
    async open(): Promise<Subject> {
      const launcher = [...lab.launcher, ...toolchain.prefix];
      const backend = createNftablesBackend({ launcher, timeoutMs: 10_000, protect });
      return {
        backend,
        network: lab,
        async [Symbol.asyncDispose]() {
          await backend.close?.();
          await nft("flush ruleset");
        },
      };
    },
    tamperings:
      protect === "on"
        ? []
        : [
            tampering("the chain is flushed", ["missing"], "flush chain T postrouting"),
            tampering("a foreign rule stands first", ["extra"], "insert rule T postrouting accept"),
            tampering("a foreign rule stands last", ["extra"], "add rule T postrouting counter drop"),
            tampering("the first rule is gone", ["missing"], "delete rule T postrouting handle H"),
            tampering(
              "the first rule is moved to the end",
              ["order"],
              "delete rule T postrouting handle H",
              "add rule T postrouting fib daddr type local return",
            ),
            tampering(
              "the first rule says something else",
              ["modified"],
              "replace rule T postrouting handle H fib saddr type local return",
            ),
            tampering("the set is deleted", ["missing"], "flush chain T postrouting", "delete set T exempt"),
            tampering(
              "the set is of another shape",
              ["missing", "modified"],
              "flush chain T postrouting",
              "delete set T exempt",
              "add set T exempt { type inet_service; }",
            ),
            tampering(
              "the chain is deleted",
              ["jump", "missing"],
              "flush chain T postrouting",
              "delete chain T postrouting",
            ),
            tampering(
              "the chain hangs elsewhere",
              ["jump", "missing"],
              "flush chain T postrouting",
              "delete chain T postrouting",
              "add chain T postrouting { type nat hook postrouting priority -5; }",
            ),
            tampering("the ruleset is flushed", ["table"], "flush ruleset"),
            tampering("the table is deleted", ["table"], "delete table T"),
            tampering("the table is dormant", ["table"], "add table T { flags dormant; }"),
            tampering("the set is emptied", ["missing"], "flush set T exempt"),
            tampering("an element is gone", ["missing"], "delete element T exempt { A }"),
            tampering("an element is extra", ["extra"], "add element T exempt { B }"),
            tampering("a chain is extra", ["extra"], "add chain T other { type nat hook postrouting priority 90; }"),
            tampering("a set is extra", ["extra"], "add set T other { type inet_service; }"),
          ],
    foreign: {
      async install() {
        await nft(
          ["ip", "ip6"]
            .map(
              (family) =>
                `table ${family} other {\n set s { type inet_service; elements = { 53 }\n }\n chain c { type nat hook postrouting priority 90;\n oifname other0 tcp dport @s masquerade\n }\n }\n`,
            )
            .join(""),
        );
      },
      // Read with the same nft: 1.0.6 crashes on sets that 1.1.3 wrote (kubernetes#136786).
      async list() {
        const texts = ["ip", "ip6"].map(async (family) => {
          const { exitCode, stdout, stderr } = await lab.run([
            ...toolchain.prefix,
            "nft",
            "list",
            "table",
            family,
            "other",
          ]);
          if (exitCode !== 0 && !stderr.includes("No such file")) throw new Error(stderr);
          return stdout;
        });
        return (await Promise.all(texts)).join("");
      },
    },
    spoil: (transaction) => `${transaction}add rule ip no-such-table c accept\n`,
  });
}

const sample: Readonly<Record<Family, { readonly inside: string; readonly other: string }>> = {
  IPv4: { inside: "10.1.0.0/16", other: "11.0.0.0/8" },
  IPv6: { inside: "fd01:1::/32", other: "fd77::/16" },
};

/** The handle of our first rule, by which nft deletes and replaces it. */
async function firstHandle(prefix: readonly string[], family: Family): Promise<string> {
  const listing = ["-a", "list", "table", family === "IPv4" ? "ip" : "ip6", "ip-masq-agent"];
  return /local return # handle (\d+)/.exec(await run([...prefix, "nft", ...listing]))?.[1] ?? "";
}

async function run(command: readonly string[], input?: string): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.run(command, input);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return stdout;
}
