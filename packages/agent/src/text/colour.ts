import { styleText } from "node:util";

/** Words of a few meanings, coloured where the output shows colours. */
export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
}

export function paintFor(colour: boolean): Paint {
  const paint = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  return {
    good: paint("green"),
    bad: paint("red"),
    warn: paint("yellow"),
    strong: paint("bold"),
    faint: paint("dim"),
  };
}
