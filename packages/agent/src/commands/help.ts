import { type Command, type CommandName, commands, flagsOf, privilegesOf } from "../flags/commands.ts";
import type { Flag } from "../flags/flag.ts";
import { agentFlags, ignoredFlags } from "../flags/table.ts";
import { wrap } from "../text/wrap.ts";

const runNotes = commands
  .filter(({ name }) => name === "run")
  .flatMap((command) => [...command.details, ...privilegesOf(command)]);
const column = 34;
const width = 100;

/** What `--help` prints: made from the tables of commands and flags, so that it cannot say anything else. */
export function helpText(): string {
  const groups = [...new Set(agentFlags.map((flag) => flag.group))];
  return [
    "ip-masq-agent keeps this node's masquerade rules equal to one small configuration file:",
    "traffic to exempt ranges keeps the pod's address, all other gets the node's.",
    "",
    "Usage:",
    ...commands.map((command) => `  ${usageOf(command).padEnd(43)}${command.help}`),
    "",
    "A command takes all flags below, so that it sees what the agent sees, and some of its own:",
    "see COMMAND --help.",
    ...groups.flatMap((group) => [
      "",
      `${group}:`,
      ...agentFlags.filter((flag) => flag.group === group).flatMap(describe),
    ]),
    "",
    ...runNotes.flatMap((sentence) => wrap(sentence, width)),
    "",
    "klog's other flags (--logtostderr, --stderrthreshold, --vmodule, …) are accepted and do nothing.",
    "",
    "Examples:",
    "  ip-masq-agent run --backend=nftables --enable-ipv6",
    "  ip-masq-agent run --once --config=/etc/config --log-format=text",
    "  ip-masq-agent validate ./ip-masq-agent.yaml --enable-ipv6",
    "  ip-masq-agent explain 203.0.113.9 --from=10.244.1.5 --protocol=tcp",
    "  ip-masq-agent plan --config=./next.yaml",
    ...exitCodesOf("run"),
  ].join("\n");
}

/** What `COMMAND --help` prints. */
export function commandHelp(name: CommandName): string {
  const command = commands.find((one) => one.name === name);
  // Its flags are the agent's own, so the whole help is its help.
  if (command === undefined || name === "run") return helpText();
  const own = flagsOf(name);
  return [
    `Usage: ${usageOf(command)}`,
    "",
    ...wrap(`${command.help.charAt(0).toUpperCase()}${command.help.slice(1)}.`, width),
    ...[...command.details, ...privilegesOf(command)].flatMap((sentence) => wrap(sentence, width)),
    ...(own.length === 0 ? [] : ["", "Flags:", ...own.flatMap(describe)]),
    "",
    "All flags of the agent itself are taken too: see ip-masq-agent --help.",
    ...exitCodesOf(name),
  ].join("\n");
}

function usageOf({ name, arguments: words }: Command): string {
  return ["ip-masq-agent", name === "run" ? "[run]" : name, words, "[flags]"].filter((word) => word !== "").join(" ");
}

function exitCodesOf(name: CommandName): readonly string[] {
  const codes = commands.find((command) => command.name === name)?.exitCodes ?? [];
  return ["", "Exit codes:", ...codes.map(([code, meaning]) => `  ${code}  ${meaning}`), ""];
}

/** The page docs/flags.md; `node packages/agent/docs.ts` writes it, a test compares. */
export function flagReference(): string {
  return [
    "# Flags",
    "",
    "Go's syntax: `--flag=value`, `--flag value`, `-flag`; booleans as `--flag` or `--flag=false`. Made from the code.",
    "",
    "| flag | default | |",
    "| --- | --- | --- |",
    ...agentFlags.map(rowOf),
    "",
    `Accepted and without effect, as klog's: ${ignoredFlags.map(({ name }) => `\`--${name}\``).join(", ")}.`,
    "",
    ...commands.flatMap(commandReference),
  ].join("\n");
}

function commandReference(command: Command): readonly string[] {
  const own = flagsOf(command.name);
  return [
    `## ${command.name}`,
    "",
    `\`${usageOf(command)}\`: ${command.help}.`,
    ...command.details,
    ...privilegesOf(command),
    "",
    ...(own.length === 0 ? [] : ["| flag | default | |", "| --- | --- | --- |", ...own.map(rowOf), ""]),
    "| exit code | |",
    "| --- | --- |",
    ...command.exitCodes.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    "",
  ];
}

function rowOf(flag: Flag): string {
  const name = `\`${nameOf(flag)}\``;
  return `| ${name} | ${flag.default === "" ? "" : `\`${flag.default}\``} | ${flag.help} |`;
}

/** `-o, --output=FORMAT` */
function nameOf(flag: Flag): string {
  const alias = flag.alias === undefined ? "" : `-${flag.alias}, `;
  return `${alias}--${flag.name}${flag.boolean ? "" : `=${flag.placeholder}`}`;
}

function describe(flag: Flag): readonly string[] {
  const head = `  ${nameOf(flag)}`;
  const fallback =
    flag.default === "" || (flag.boolean && flag.default === "false") ? "" : ` (default ${flag.default})`;
  const lines = wrap(`${flag.help}${fallback}`, width - column);
  return lines.map((line, index) => `${(index === 0 ? head : "").padEnd(column)}${line}`);
}
