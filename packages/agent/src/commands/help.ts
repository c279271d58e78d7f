import { type Flag, flagTable, ignoredFlags } from "../flags/table.ts";
import { build } from "../version.ts";

const column = 34;
const width = 100;

/** What `--help` prints: made from the table of flags, so that it cannot say anything else. */
export function helpText(): string {
  const groups = [...new Set(flagTable.map((flag) => flag.group))];
  return [
    "ip-masq-agent keeps this node's masquerade rules equal to one small configuration file:",
    "traffic to exempt ranges keeps the pod's address, all other gets the node's.",
    "",
    "Usage:",
    "  ip-masq-agent [flags]                     run, until SIGTERM or SIGINT; rules stay",
    "  ip-masq-agent validate [PATH] [flags]     say what a config means, or what is wrong with it",
    ...groups.flatMap((group) => [
      "",
      `${group}:`,
      ...flagTable.filter((flag) => flag.group === group).flatMap(describe),
    ]),
    "",
    "klog's other flags (--logtostderr, --stderrthreshold, --vmodule, …) are accepted and do nothing.",
    "",
    "Examples:",
    "  ip-masq-agent --backend=nftables --enable-ipv6",
    "  ip-masq-agent --once --config=/etc/config --log-format=text",
    "  ip-masq-agent validate ./ip-masq-agent.yaml --enable-ipv6",
    "",
    "Exit codes:",
    "  0  ended as asked; the config is valid",
    "  1  failed: --once could not put the rules in force, or the config is not valid",
    "  2  wrong usage: nothing was done",
    "",
  ].join("\n");
}

/** The page docs/flags.md; `node packages/agent/docs.ts` writes it, a test compares. */
export function flagReference(): string {
  const rows = flagTable.map((flag) => {
    const name = `\`--${flag.name}${flag.boolean ? "" : `=${flag.placeholder}`}\``;
    return `| ${name} | ${flag.default === "" ? "" : `\`${flag.default}\``} | ${flag.help} |`;
  });
  return [
    "# Flags",
    "",
    "Go's syntax: `--flag=value`, `--flag value`, `-flag`; booleans as `--flag` or `--flag=false`. Made from the code.",
    "",
    "| flag | default | |",
    "| --- | --- | --- |",
    ...rows,
    "",
    `Accepted and without effect, as klog's: ${ignoredFlags.map(({ name }) => `\`--${name}\``).join(", ")}.`,
    "",
  ].join("\n");
}

export function versionText(): string {
  return `ip-masq-agent ${build.version} (commit ${build.commit}, node ${build.nodeVersion})\n`;
}

function describe(flag: Flag): readonly string[] {
  const head = `  --${flag.name}${flag.boolean ? "" : `=${flag.placeholder}`}`;
  const fallback =
    flag.default === "" || (flag.boolean && flag.default === "false") ? "" : ` (default ${flag.default})`;
  const lines = wrap(`${flag.help}${fallback}`, width - column);
  return lines.map((line, index) => `${(index === 0 ? head : "").padEnd(column)}${line}`);
}

function wrap(text: string, limit: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > limit) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
