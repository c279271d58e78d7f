import { shown } from "./text/colour.ts";

/** One line, or several. A line break inside of a line is shown as `\n`: what a config or a tool says forges none. */
export type Lines = string | readonly string[];

/** Where a command writes. All that people read leaves here, and what cannot be seen in it is written out. */
export interface Output {
  out(lines: Lines): void;
  err(lines: Lines): void;
  /** A value for programs, as JSON over several lines. */
  json(value: unknown): void;
  /** Standard output is a terminal that shows colours. */
  readonly colour: boolean;
}

/** Where text goes that has been made fit to leave. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
  readonly colour: boolean;
}

export function outputTo({ out, err, colour }: Streams): Output {
  return {
    colour,
    out: (lines) => out(textOf(lines)),
    err: (lines) => err(textOf(lines)),
    json: (value) => out(textOf(JSON.stringify(value, undefined, 2).split("\n"))),
  };
}

/** This process's own streams. Colour on a terminal only, and not where NO_COLOR or TERM=dumb says no. */
export function processOutput(): Output {
  return outputTo({
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    colour: process.stdout.isTTY === true && process.stdout.hasColors(),
  });
}

/** The text that lines are, each ended. The line break at the end of a single line is its own. */
export function textOf(lines: Lines): string {
  const all = typeof lines === "string" ? [lines.replace(/\n$/, "")] : lines;
  return all.map((line) => `${shown(line)}\n`).join("");
}

/** The lines of a text that is all our own, such as a help page. */
export function linesOf(text: string): readonly string[] {
  return text.replace(/\n$/, "").split("\n");
}
