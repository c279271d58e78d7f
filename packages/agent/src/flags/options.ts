import { parseBoolean, parseFlags, type UsageProblem } from "./go-flags.ts";
import { type Flag, flagTable, ignoredFlags, type Options } from "./table.ts";

/** A command line understood. */
export interface CommandLine {
  readonly options: Options;
  /** `run` where none is named. */
  readonly command: "run" | "validate";
  /** What `validate` is to look at, in place of --config. */
  readonly path: string | undefined;
  /** klog's flags that were given and mean nothing here. */
  readonly ignored: readonly string[];
}

/** Reads everything behind the program's name. Pure; never throws. */
export function parseCommandLine(argv: readonly string[]): CommandLine | UsageProblem {
  const parsed = parseFlags(argv, [...flagTable, { name: "h", boolean: true }, ...ignoredFlags]);
  if ("problem" in parsed) return parsed;
  const values: Partial<Record<keyof Options, unknown>> = {};
  for (const flag of flagTable) {
    const text = parsed.values.get(flag.name) ?? flag.default;
    const checked = flag.parse(text);
    if (!("value" in checked)) return refused(flag, text, checked);
    values[flag.option] = checked.value;
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
  const help = options.help || parsed.values.has("h");
  const [command, path, ...more] = parsed.positional;
  if (!help && !options.version && (more.length > 0 || (command !== undefined && command !== "validate"))) {
    const stray = command === "validate" ? more.join(" ") : parsed.positional.join(" ");
    return {
      problem: `unexpected ${JSON.stringify(stray)}: the only command is validate, and booleans are written --flag=true; see --help`,
    };
  }
  return {
    options: { ...options, help },
    command: command === "validate" ? "validate" : "run",
    path,
    ignored: ignored.map(({ name }) => name),
  };
}

function refused(
  flag: Pick<Flag, "name">,
  text: string,
  { reason, remedy }: { readonly reason: string; readonly remedy: string },
): UsageProblem {
  return { problem: `--${flag.name} ${JSON.stringify(text)} ${reason}; ${remedy}` };
}
