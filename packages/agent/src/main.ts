import "./heap.ts";
import { commandHelp, helpText, versionText } from "./commands/help.ts";
import { type CommandLine, parseCommandLine } from "./flags/options.ts";
import { linesOf, type Output, processOutput } from "./output.ts";

/** Command line → exit code: 0 ended as asked, 1 failed, 2 wrong usage, 3 a difference that was asked after. */
export async function main(argv: readonly string[], output: Output): Promise<number> {
  const line = parseCommandLine(argv);
  if ("problem" in line) {
    output.err(`ip-masq-agent: ${line.problem}\n`);
    return 2;
  }
  const { options, command } = line;
  if (options.help || options.version) {
    const text =
      options.version && !options.help ? versionText() : command === "run" ? helpText() : commandHelp(command);
    output.out(linesOf(text));
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

if (import.meta.main) {
  // A reader that went away (`ip-masq-agent --help | head -1`) is no failure.
  process.stdout.on("error", () => {});
  process.exitCode = await main(process.argv.slice(2), processOutput());
  // What hangs elsewhere (a kubeconfig's plugin for credentials) does not hold up the end.
  setTimeout(() => process.exit(), 500).unref();
}
