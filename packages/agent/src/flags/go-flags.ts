import { nearest } from "@ip-masq-agent/core";

/** What the syntax needs to know of a flag. */
export interface FlagSyntax {
  readonly name: string;
  /** A second name: `o` for `output`. */
  readonly alias?: string;
  /** May stand alone, as `--flag`; takes a value only behind `=`. */
  readonly boolean: boolean;
}

/** Flags as given, by name, and what stands after them. */
export interface ParsedFlags {
  /** The last value given for each flag; `true` for a boolean that stood alone. */
  readonly values: ReadonlyMap<string, string>;
  readonly positional: readonly string[];
}

/** What is wrong with a command line, in one sentence with its remedy. */
export interface UsageProblem {
  readonly problem: string;
}

/**
 * Splits a command line as Go's `flag` package does: `-flag` or `--flag`, a value behind `=` or as the next word (not
 * for booleans), the last of several wins. Unlike there, flags may also follow positional words, as people expect of
 * subcommands; `--` ends them.
 */
export function parseFlags(argv: readonly string[], flags: readonly FlagSyntax[]): ParsedFlags | UsageProblem {
  const known = new Map(flags.map((flag) => [flag.name, flag]));
  for (const flag of flags) if (flag.alias !== undefined) known.set(flag.alias, flag);
  const values = new Map<string, string>();
  const positional: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--") {
      positional.push(...argv.slice(at + 1));
      break;
    }
    const [, name, value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (!word.startsWith("-") || word === "-") {
      positional.push(word);
      continue;
    }
    if (name === undefined) return { problem: `${JSON.stringify(word)} is no flag; write --name or --name=value` };
    const flag = known.get(name);
    if (flag === undefined) return { problem: `unknown flag --${name}${suggestion(name, flags)}; see --help` };
    if (value !== undefined) values.set(flag.name, value);
    else if (flag.boolean) values.set(flag.name, "true");
    else {
      const next = argv[++at];
      if (next === undefined) return { problem: `flag --${name} needs a value; write --${name}=VALUE` };
      values.set(flag.name, next);
    }
  }
  return { values, positional };
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "true", "TRUE", "True"].map((word) => [word, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((word) => [word, false] as const),
]);

/** Go's `strconv.ParseBool`; undefined for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  return booleans.get(text);
}

function suggestion(name: string, flags: readonly FlagSyntax[]): string {
  const letters = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, "");
  const names = flags.map((flag) => flag.name);
  return didYouMean(name.length > 100 ? undefined : nearest(name, names, { letters, most: mostEdits }), "--");
}

/** `; did you mean explain?`: the nearest command, for a word that is none; empty where none is near. */
export function nearestCommand(word: string, commands: readonly string[]): string {
  return didYouMean(nearest(word, commands, { most: mostEdits }));
}

/** What is more than two letters away in a long word, or one in a short one, is something else. */
const mostEdits = 2;

function didYouMean(word: string | undefined, before = ""): string {
  return word === undefined ? "" : `; did you mean ${before}${word}?`;
}
