/** Where a command writes. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
  /** Standard output is a terminal that shows colours. */
  readonly colour: boolean;
}

/** This process's own streams. Colour on a terminal only, and not where NO_COLOR or TERM=dumb says no. */
export function processOutput(): Output {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    colour: process.stdout.isTTY === true && process.stdout.hasColors(),
  };
}
