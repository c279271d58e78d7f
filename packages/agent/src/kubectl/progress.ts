import type { Lines, Output } from "../output.ts";

/** Where the plugin writes, and whether people look at it. */
export interface Screen extends Output {
  /** Standard error is a terminal: a line there can be written over. */
  readonly live: boolean;
  /** Writes over the line that standard error is on; no text: clears it. Only where it is live. */
  overwrite(text: string): void;
}

/** One line on the terminal that says how far it is, and gives way to what is printed. */
export interface Progress extends Disposable {
  /** Prints above the line. */
  print(lines: Lines): void;
  step(): void;
}

export function createProgress(screen: Screen, total: number, what: string): Progress {
  let done = 0;
  const clear = () => screen.live && screen.overwrite("");
  const draw = () => screen.live && done < total && screen.overwrite(`${done}/${total} ${what}`);
  draw();
  return {
    print(lines) {
      clear();
      screen.out(lines);
      draw();
    },
    step() {
      done++;
      clear();
      draw();
    },
    [Symbol.dispose]: () => void clear(),
  };
}
