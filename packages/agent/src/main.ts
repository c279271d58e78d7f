import "./heap.ts";
import { helpText, versionText } from "./commands/help.ts";
import type { Output } from "./commands/validate.ts";
import { parseCommandLine } from "./flags/options.ts";

/** Command line → exit code: 0 ended as asked, 1 failed, 2 wrong usage. */
export async function main(argv: readonly string[], output: Output): Promise<number> {
  const line = parseCommandLine(argv);
  if ("problem" in line) {
    output.err(`ip-masq-agent: ${line.problem}\n`);
    return 2;
  }
  const { options, command, path } = line;
  if (options.help || options.version) {
    output.out(options.help ? helpText() : versionText());
    return 0;
  }
  if (command === "validate") {
    const { validate } = await import("./commands/validate.ts");
    return validate(path ?? options.config, options, output);
  }
  const { run } = await import("./commands/run.ts");
  return run(options, line.ignored);
}

if (import.meta.main) {
  // A reader that went away (`ip-masq-agent --help | head -1`) is no failure.
  process.stdout.on("error", () => {});
  const output: Output = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
  process.exitCode = await main(process.argv.slice(2), output);
}
