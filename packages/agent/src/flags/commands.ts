import { booleans, type Flag, valued } from "./flag.ts";
import { agentFlags } from "./table.ts";
import { parseChoice, parseHost, parsePath, parsePort, parseProtocol } from "./values.ts";

export type CommandName =
  | "run"
  | "validate"
  | "explain"
  | "plan"
  | "status"
  | "doctor"
  | "cleanup"
  | "completion"
  | "help"
  | "version";

/** A word behind the program's name: what it does, what it takes, how it ends. */
export interface Command {
  readonly name: CommandName;
  /** What stands behind the name, as in the help: `DEST`, `[PATH]`. */
  readonly arguments: string;
  readonly least: number;
  readonly most: number;
  readonly help: string;
  /** Sentences for the command's own help. */
  readonly details: readonly string[];
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
  /** Whether it reads or writes rules, which takes root or the capability NET_ADMIN: all that it does, or most. */
  readonly privileged?: "all" | "most";
}

const wrongUsage = [2, "wrong usage: nothing was done"] as const;

/** Every command, in the order of the help; `run` is what the agent does where none is named, except for a person. */
export const commands: readonly Command[] = [
  {
    ...{ name: "run", arguments: "", least: 0, most: 0 },
    help: "run, until SIGTERM or SIGINT; rules stay",
    details: [
      "The word may be left out in a pod, where NODE_NAME or --node-name is set, and where no standard stream is a terminal (systemd, cron). Elsewhere it must be spelt, because this changes the host's rules.",
    ],
    exitCodes: [
      [0, "ended as asked"],
      [1, "failed: not privileged, or --once could not put the rules in force, or another agent keeps them"],
      wrongUsage,
    ],
    privileged: "all",
  },
  {
    ...{ name: "validate", arguments: "[PATH|-]", least: 0, most: 1 },
    help: "say what a config means, or what is wrong with it",
    details: [
      "PATH stands in for --config; - is standard input. A ConfigMap's manifest is taken too, YAML or JSON, also as the only ConfigMap among other objects: its keys ip-masq*, else config, are what is read.",
    ],
    exitCodes: [[0, "the config is valid"], [1, "the config is not valid"], wrongUsage],
  },
  {
    ...{ name: "explain", arguments: "DEST", least: 1, most: 1 },
    help: "say what happens to packets for DEST, and why",
    details: [
      "DEST is an address, a CIDR, or a name in the hosts file. The answer comes from config and flags, and is checked against the rules that the kernel has now.",
    ],
    exitCodes: [
      [0, "the kernel does as the config says"],
      [1, "failed: the config is not valid, or the kernel cannot be read"],
      wrongUsage,
      [3, "the kernel does something else"],
    ],
    privileged: "all",
  },
  {
    ...{ name: "plan", arguments: "", least: 0, most: 0 },
    help: "show what the agent would change, and change nothing",
    details: ["With --config, shows the effect of a file before it is rolled out."],
    exitCodes: [
      [0, "nothing to change"],
      [1, "failed: the config is not valid, or the kernel cannot be read"],
      wrongUsage,
      [3, "there are changes"],
    ],
    privileged: "all",
  },
  {
    ...{ name: "status", arguments: "", least: 0, most: 0 },
    help: "show the state of the agent that runs on this node",
    details: ["Asks the running agent, at the port of --metrics-address."],
    exitCodes: [
      [0, "the agent runs, and the rules are in force"],
      [1, "no agent answers"],
      wrongUsage,
      [3, "the agent runs, but the rules are not in force"],
    ],
  },
  {
    ...{ name: "doctor", arguments: "", least: 0, most: 0 },
    help: "check this node for what undoes our rules",
    details: ["Reads only."],
    exitCodes: [[0, "no errors; perhaps warnings"], [1, "at least one error"], wrongUsage],
    privileged: "most",
  },
  {
    ...{ name: "cleanup", arguments: "", least: 0, most: 0 },
    help: "remove all rules of this agent and the original",
    details: [
      "Does not read the config. Refuses while an agent runs on this node, because that would write its rules again: one that holds the lock of this network namespace or answers at --metrics-address, or a process of the agent or the original that is seen.",
    ],
    exitCodes: [
      [0, "removed, or nothing there"],
      [1, "failed: an agent runs, or something could not be removed"],
      wrongUsage,
      [3, "--dry-run: there is something to remove"],
    ],
    privileged: "all",
  },
  {
    ...{ name: "completion", arguments: "SHELL", least: 1, most: 1 },
    help: "print completions for bash, zsh or fish",
    details: [
      "bash: source <(ip-masq-agent completion bash)",
      "zsh: source <(ip-masq-agent completion zsh)",
      "fish: ip-masq-agent completion fish | source",
    ],
    exitCodes: [[0, "printed"], wrongUsage],
  },
  {
    ...{ name: "help", arguments: "[COMMAND]", least: 0, most: 1 },
    help: "show the help, or a command's",
    details: ["COMMAND help and COMMAND --help are the same. (A file or a host called help: ./help, help.)"],
    exitCodes: [[0, "printed"], wrongUsage],
  },
  {
    ...{ name: "version", arguments: "", least: 0, most: 0 },
    help: "show the version",
    details: [],
    exitCodes: [[0, "printed"], wrongUsage],
  },
];

const forCommands: readonly Flag[] = [
  {
    ...valued(
      "Output",
      "FORMAT",
      ["output", "output", "text", "text or json."],
      parseChoice(["text", "json"] as const),
    ),
    alias: "o",
    commands: ["validate", "explain", "plan", "status", "doctor", "cleanup"],
  },
  {
    ...valued(
      "Packet",
      "ADDRESS",
      ["from", "from", "", "The sender's address, for the route and the address it leaves with."],
      parseHost,
    ),
    commands: ["explain"],
  },
  {
    ...valued(
      "Packet",
      "NAME",
      ["protocol", "protocol", "", "tcp, udp, sctp, icmp or another: --to-ports is for the first three."],
      parseProtocol,
    ),
    commands: ["explain"],
  },
  {
    ...valued("Packet", "N", ["port", "port", "", "The destination's port; rules do not look at it."], parsePort),
    commands: ["explain"],
  },
  {
    ...valued(
      "Packet",
      "PATH",
      ["hosts-file", "hostsFile", "/etc/hosts", "Where names are looked up."],
      parsePath("a file"),
    ),
    commands: ["explain"],
  },
  ...booleans("Output", [
    ["script", "script", "false", "Print the exact transactions instead, one for each tool."],
  ]).map((flag) => ({ ...flag, commands: ["plan"] as const })),
  ...booleans("Running", [
    ["as-agent", "asAgent", "false", "Take every flag that is not given from the agent that runs on this node."],
  ]).map((flag) => ({ ...flag, commands: ["validate", "explain", "plan", "doctor"] as const })),
  ...booleans("Running", [
    ["dry-run", "dryRun", "false", "List what would be removed, in every backend and family, and remove nothing."],
    ["force", "force", "false", "Remove the rules even though an agent runs on this node."],
    ["stay", "stay", "false", "Wait for SIGTERM afterwards: for a DaemonSet that cleans up every node."],
  ]).map((flag) => ({ ...flag, commands: ["cleanup"] as const })),
];

/** Every flag there is: the agent's own, then those of single commands. */
export const flagTable: readonly Flag[] = [...agentFlags, ...forCommands];

/** The privileges that a command needs, in a sentence for its help; none: it needs none. */
export function privilegesOf({ privileged }: Command): readonly string[] {
  const what = "root, or the capability NET_ADMIN (for iptables-legacy NET_RAW too)";
  if (privileged === undefined) return [];
  return [privileged === "all" ? `Needs ${what}.` : `Most of it needs ${what}.`];
}

/** The flags that are a command's own. */
export function flagsOf(command: CommandName): readonly Flag[] {
  return forCommands.filter((flag) => flag.commands?.includes(command));
}
