import type { Family } from "@ip-masq-agent/core";
import { conformance, type Subject, type Tampering } from "@ip-masq-agent/core/conformance";
import { createLab, type Lab, toolchains } from "@ip-masq-agent/lab";
import { afterAll, beforeAll, test } from "vitest";
import { createIptablesBackend } from "../src/index.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const chain = "IP-MASQ-AGENT";
const deleteJump = "delete the jump";

for (const toolchain of toolchains()) {
  for (const variant of ["nft", "legacy"] as const) {
    const must = async (family: Family, ...lines: readonly string[]) => {
      const tool = `${family === "IPv4" ? "iptables" : "ip6tables"}-${variant}`;
      for (const line of lines) {
        const words =
          line === deleteJump
            ? ["-D", "POSTROUTING", `${await jumpNumber([...toolchain.prefix, tool])}`]
            : line.split(" ");
        await run([...toolchain.prefix, tool, "-t", "nat", ...words]);
      }
    };
    /** Tools of nf_tables know nothing of legacy rules. */
    const withNft = (name: string, command: string): Tampering => ({
      name,
      kinds: ["jump", "table"],
      async tamper(_, family) {
        const words = command.replace("FAMILY", family === "IPv4" ? "ip" : "ip6");
        await run([...toolchain.prefix, "nft", ...words.split(" ")]);
      },
    });
    const tampering = (name: string, kinds: Tampering["kinds"], ...lines: readonly string[]): Tampering => ({
      name,
      kinds,
      tamper: (_, family) => must(family, ...lines),
    });
    conformance({
      test,
      name: `iptables-${variant}, ${toolchain.name}`,
      async open(): Promise<Subject> {
        const backend = createIptablesBackend({
          variant,
          launcher: [...lab.launcher, ...toolchain.prefix],
          timeoutMs: 10_000,
        });
        return { backend, network: lab, [Symbol.asyncDispose]: emptyNode };
      },
      tamperings: [
        tampering("the chain is flushed", ["missing"], `-F ${chain}`),
        tampering("the jump is deleted", ["jump"], deleteJump),
        tampering("a foreign rule stands first", ["extra"], `-I ${chain} -j ACCEPT`),
        tampering("a foreign rule stands last", ["extra"], `-A ${chain} -j ACCEPT`),
        tampering("the first rule is deleted", ["missing"], `-D ${chain} 1`),
        tampering("the first rule is another", ["modified"], `-R ${chain} 1 -p tcp -j RETURN`),
        tampering("the chain is deleted", ["jump", "table"], deleteJump, `-F ${chain}`, `-X ${chain}`),
        tampering("the nat table is flushed", ["jump", "missing"], "-F"),
        tampering("the jump is there twice", ["jump"], `-A POSTROUTING -m addrtype ! --dst-type LOCAL -j ${chain}`),
        tampering("a jump has no condition", ["jump"], `-I POSTROUTING -j ${chain}`),
        tampering("a jump has another condition", ["jump"], `-A POSTROUTING -p udp -j ${chain}`),
        ...(variant === "nft"
          ? [
              withNft("the ruleset is flushed", "flush ruleset"),
              withNft("the nat table is deleted", "delete table FAMILY nat"),
            ]
          : []),
      ],
      foreign: {
        async install() {
          for (const family of ["IPv4", "IPv6"] as const) {
            await must(
              family,
              "-N OTHER",
              "-A OTHER -p tcp -j RETURN",
              "-I POSTROUTING -o other0 -j OTHER",
              "-A POSTROUTING -o other1 -j MASQUERADE",
            );
          }
        },
        async list() {
          const texts = await Promise.all(
            ["iptables", "ip6tables"].map((tool) => run([...toolchain.prefix, `${tool}-${variant}-save`, "-t", "nat"])),
          );
          const ours = new RegExp(`${chain}|IPMASQ-`);
          return texts
            .join("")
            .split("\n")
            .filter((line) => !line.startsWith("#") && !ours.test(line))
            .join("\n");
        },
      },
      spoil: (transaction) => transaction.replace("COMMIT", "-A POSTROUTING -j MASQUERADE-NOT-THERE\nCOMMIT"),
    });
  }
}

/** Where the jump stands among the rules of others, counted from 1. */
async function jumpNumber(tool: readonly string[]): Promise<number> {
  const rules = (await run([...tool, "-t", "nat", "-S", "POSTROUTING"]))
    .split("\n")
    .filter((line) => line.startsWith("-A"));
  return rules.findIndex((line) => line.endsWith(`-j ${chain}`)) + 1;
}

async function run(command: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.run(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return stdout;
}

/** Leaves nothing in either world, so that tests of one variant do not meet rules of the other. */
async function emptyNode(): Promise<void> {
  await run(["nft", "flush", "ruleset"]);
  for (const tool of ["iptables-legacy", "ip6tables-legacy"]) {
    await run([tool, "-t", "nat", "-F"]);
    await run([tool, "-t", "nat", "-X"]);
  }
}
