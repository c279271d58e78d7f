import { type CommandName, commands, flagTable } from "./commands.ts";
import type { Flag, Options } from "./flag.ts";
import { nearestCommand, parseBoolean, parseFlags, type UsageProblem } from "./go-flags.ts";
import { ignoredFlags } from "./table.ts";

/** A command line understood. */
export interface CommandLine {
  readonly options: Options;
  /** `run` where none is named. */
  readonly command: CommandName;
  /** The command was named. */
  readonly named: boolean;
  /** What stands behind the command: as many words as it takes. */
  readonly words: readonly string[];
  /** Flags that were given, by name; defaults are not among them. */
  readonly given: ReadonlyMap<string, string>;
  /** klog's flags that were given and mean nothing here. */
  readonly ignored: readonly string[];
}

/** Reads everything behind the program's name. Pure; never throws. */
export function parseCommandLine(argv: readonly string[]): CommandLine | UsageProblem {
  const parsed = parseFlags(argv, [...flagTable, ...ignoredFlags]);
  if ("problem" in parsed) return parsed;
  const values: Partial<Record<keyof Options, unknown>> = {};
  for (const flag of flagTable) {
    const text = parsed.values.get(flag.name) ?? flag.default;
    const checked = flag.parse(text);
    if (!("value" in checked)) return refused(flag, text, checked);
    values[flag.option] = checked.value;
  }
  values.configGiven = parsed.values.has("config");
  if (values.configGiven === true && values.configMap !== undefined) {
    return { problem: "--config and --config-map both say where the config is; give one of them" };
  }
  if (values.protectRules === "on" && values.backend !== "nftables" && values.backend !== "auto") {
    return {
      problem: `--protect-rules=on does not go with --backend=${String(values.backend)}: rules of iptables cannot be protected; use --backend=nftables, or --protect-rules=auto`,
    };
  }
  const ignored = ignoredFlags.filter(({ name }) => parsed.values.has(name));
  for (const flag of ignored) {
    const text = parsed.values.get(flag.name) ?? "";
    if (flag.boolean && parseBoolean(text) === undefined) {
      return refused(flag, text, { reason: "is neither true nor false", remedy: "write true or false" });
    }
  }
  // Every flag of the table has been parsed into the type that its option has there.
  const options = values as unknown as Options;
  const [word, ...words] = parsed.positional;
  const command = commands.find(({ name }) => name === (word ?? "run"));
  const asksForHelp = command !== undefined && words.length === 1 && words[0] === "help";
  const line = {
    options: asksForHelp ? { ...options, help: true } : options,
    command: command?.name ?? "run",
    named: word !== undefined,
    words,
    given: parsed.values,
    ignored: ignored.map(({ name }) => name),
  };
  // Whoever asks for help has not yet got it right.
  if (line.options.help || options.version) return line;
  if (command === undefined) {
    const unexpected = `unexpected ${JSON.stringify(parsed.positional.join(" "))}`;
    const meant = nearestCommand(word ?? "", names);
    if (meant !== "") return { problem: `${unexpected}${meant}; see --help` };
    return {
      problem: `${unexpected}: the commands are ${names.join(", ")}, and booleans are written --flag=true; see --help`,
    };
  }
  if (words.length > command.most) {
    const stray = words.slice(command.most).join(" ");
    return { problem: `unexpected ${JSON.stringify(stray)} behind ${command.name}; see ${command.name} --help` };
  }
  if (words.length < command.least) {
    return { problem: `${command.name} needs ${command.arguments}; see ${command.name} --help` };
  }
  if (command.name === "help" && words[0] !== undefined && !names.includes(words[0])) {
    const meant = nearestCommand(words[0], names);
    return { problem: `there is no command ${JSON.stringify(words[0])}${meant}; see --help` };
  }
  const stray = flagTable.find(
    (flag) => parsed.values.has(flag.name) && flag.commands?.includes(command.name) === false,
  );
  if (stray?.commands !== undefined) {
    return { problem: `--${stray.name} is a flag of ${stray.commands.join(", ")}; see ${command.name} --help` };
  }
  return line;
}

const names: readonly string[] = commands.map(({ name }) => name);

function refused(
  flag: Pick<Flag, "name">,
  text: string,
  { reason, remedy }: { readonly reason: string; readonly remedy: string },
): UsageProblem {
  return { problem: `--${flag.name} ${JSON.stringify(text)} ${reason}; ${remedy}` };
}
