import { commandHelp, helpText, versionText } from "./commands/help.ts";
import { type CommandLine, parseCommandLine } from "./flags/options.ts";
import type { Output } from "./output.ts";

/** Command line → exit code: 0 ended as asked, 1 failed, 2 wrong usage, 3 a difference that was asked after. */
export async function main(argv: readonly string[], output: Output): Promise<number> {
  const line = parseCommandLine(argv);
  if ("problem" in line) {
    output.err(`ip-masq-agent: ${line.problem}\n`);
    return 2;
  }
  const { options, command } = line;
  if (options.help || options.version) {
    output.out(
      options.version && !options.help ? versionText() : command === "run" ? helpText() : commandHelp(command),
    );
    return 0;
  }
  if (!options.asAgent) return execute(line, output);
  const whole = await (await import("./commands/as-agent.ts")).asAgent(argv, line);
  if (!("problem" in whole)) return execute(whole, output);
  output.err(`ip-masq-agent: ${whole.problem}\n`);
  return 1;
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
  }
}
