import { randomUUID } from "node:crypto";
import { visible } from "@ip-masq-agent/core";

/** Words of a few meanings, coloured where the output shows colours. */
export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
}

/**
 * Stands for ESC in our own colours until a text leaves (`shown`). Nobody else can know it, so a word from a config, a
 * rule or a process' name can neither colour a line nor command the terminal.
 */
const mark = randomUUID();
const code = new RegExp(`${mark}\\[\\d+m`, "g");

export function paintFor(colour: boolean): Paint {
  const paint = (on: number, off: number) => (text: string) => (colour ? `${mark}[${on}m${text}${mark}[${off}m` : text);
  return { good: paint(32, 39), bad: paint(31, 39), warn: paint(33, 39), strong: paint(1, 22), faint: paint(2, 22) };
}

/** A line as it leaves: our own colours in it, and everything else that cannot be seen written out. */
export function shown(line: string): string {
  return line.includes(mark) ? line.split(mark).map(visible).join("\u001b") : visible(line);
}

/** Columns that a line takes when it is shown; colours take none. */
export function widthOf(line: string): number {
  return visible(line.replaceAll(code, "")).length;
}
