import { commands } from "../flags/commands.ts";
import type { CommandLine } from "../flags/options.ts";
import type { Capability } from "../kernel/capabilities.ts";
import { configPlace } from "../sources/now.ts";
import type { Surroundings } from "../surroundings.ts";

/** A command that is not to be run here: what to print, and the exit code. */
export interface Refusal {
  readonly text: string;
  readonly exitCode: number;
}

/**
 * Whether the agent may start although `run` was not spelt. The original has no commands, so in a DaemonSet and in a
 * unit of systemd its flags alone start it. A person at a terminal of a host that is no node has perhaps only wanted to
 * see what it says, and would find the host's connections masqueraded.
 */
export function refuseUnspelt(
  { command, named, options }: CommandLine,
  argv: readonly string[],
  surroundings: Surroundings,
): Refusal | undefined {
  if (command !== "run" || named || options.nodeName !== undefined) return undefined;
  if (surroundings.inKubernetes() || !surroundings.onTerminal()) return undefined;
  const { backend, enableIPv6, masqChain, once } = options;
  const flags = argv.map((word) => ` ${quoted(word)}`).join("");
  const chain = backend === "nftables" ? "" : `, or chain ${masqChain}`;
  const lines = [
    `ip-masq-agent: at a terminal run must be spelt, because it changes this host's rules: ip-masq-agent run${flags}`,
    `  reads    ${configPlace(options)}`,
    `  writes   rules for ${enableIPv6 ? "IPv4 and IPv6" : "IPv4"}, with --backend=${backend}: table ip-masq-agent${chain}`,
    "  effect   new connections to addresses that are not exempt leave with this host's address",
    `  until    ${once ? "one pass is done" : "it is stopped"}; the rules stay, and ip-masq-agent cleanup removes them`,
    `  exactly  ip-masq-agent plan${flags}`,
  ];
  return { text: `${lines.join("\n")}\nNothing was done.\n`, exitCode: 2 };
}

/** One line for a command that reads or writes rules, where this process may not; `proceed`: it says what it can all the same. */
export function refuseUnprivileged(
  { command, options }: CommandLine,
  { capabilities }: Surroundings,
): (Refusal & { readonly proceed: boolean }) | undefined {
  const privileged = commands.find(({ name }) => name === command)?.privileged;
  const held = privileged === undefined ? undefined : capabilities();
  if (held === undefined) return undefined;
  const needed: readonly Capability[] =
    options.backend === "iptables-legacy" ? ["NET_ADMIN", "NET_RAW"] : ["NET_ADMIN"];
  const missing = needed.filter((name) => !held.has(name));
  if (missing.length === 0) return undefined;
  const which = `${missing.length === 1 ? "the capability" : "the capabilities"} ${missing.join(" and ")}`;
  const who = held.user === "0" ? `root here lacks ${which}` : `this is user ${held.user}, without ${which}`;
  const remedy = held.user === "0" ? "add it to the container's capabilities" : "run it as root, for example with sudo";
  const text = `ip-masq-agent: ${command} needs root, or ${needed.join(" and ")}, and ${who}; ${remedy}\n`;
  return { text, exitCode: 1, proceed: privileged === "most" };
}

/** As a shell reads it back. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
