import { BackendError } from "@ip-masq-agent/core";
import { refuseUnprivileged, refuseUnspelt } from "./commands/admission.ts";
import { commandHelp } from "./commands/help.ts";
import { type CommandName, commands } from "./flags/commands.ts";
import { type CommandLine, parseCommandLine } from "./flags/options.ts";
import { linesOf, type Output } from "./output.ts";
import { ownSurroundings, type Surroundings } from "./surroundings.ts";
import { versionLine } from "./version.ts";

/** Command line → exit code: 0 ended as asked, 1 failed, 2 wrong usage, 3 a difference that was asked after. */
export async function main(
  argv: readonly string[],
  output: Output,
  surroundings: Surroundings = ownSurroundings,
): Promise<number> {
  const line = parseCommandLine(argv);
  if ("problem" in line) {
    output.err(`ip-masq-agent: ${line.problem}\n`);
    return 2;
  }
  const { options, command } = line;
  if (options.help || command === "help") {
    output.out(linesOf(commandHelp(options.help ? command : commandOf(line))));
    return 0;
  }
  if (options.version || command === "version") {
    output.out(versionLine("ip-masq-agent"));
    return 0;
  }
  const unspelt = refuseUnspelt(line, argv, surroundings);
  if (unspelt !== undefined) {
    output.err(linesOf(unspelt.text));
    return unspelt.exitCode;
  }
  const unprivileged = refuseUnprivileged(line, surroundings);
  if (unprivileged !== undefined) {
    output.err(unprivileged.text);
    if (!unprivileged.proceed) return unprivileged.exitCode;
  }
  const whole = options.asAgent ? await (await import("./commands/as-agent.ts")).asAgent(argv, line) : line;
  if ("problem" in whole) {
    output.err(`ip-masq-agent: ${whole.problem}\n`);
    return 1;
  }
  try {
    return await execute(whole, output);
  } catch (error) {
    // What a tool or the kernel refuses is no defect of ours.
    if (!(error instanceof BackendError)) throw error;
    output.err(`ip-masq-agent: ${error.message}\n`);
    return 1;
  }
}

/** The command that `help` is asked about. */
function commandOf({ words: [word] }: CommandLine): CommandName {
  return commands.find(({ name }) => name === word)?.name ?? "run";
}

/** Each command's code is loaded by itself: the agent at work carries none of it. */
async function execute(
  { options, command, words: [word = ""], given, ignored }: CommandLine,
  output: Output,
): Promise<number> {
  switch (command) {
    case "run":
      return (await import("./commands/run.ts")).run(options, given, ignored);
    case "validate":
      return (await import("./commands/validate.ts")).validate(word, options, output);
    case "explain":
      return (await import("./commands/explain.ts")).explain(word, options, output);
    case "plan":
      return (await import("./commands/plan.ts")).plan(options, output);
    case "status":
      return (await import("./commands/status.ts")).status(options, output);
    case "doctor":
      return (await import("./commands/doctor.ts")).doctor(options, output);
    case "cleanup":
      return (await import("./commands/cleanup.ts")).cleanup(options, output);
    case "completion":
      return (await import("./commands/completion.ts")).completion(word, output);
    case "help":
    case "version":
      return 0;
  }
}
