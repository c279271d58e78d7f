/** Where the plugin writes, and whether people look at it. */
export interface Screen {
  out(text: string): void;
  err(text: string): void;
  /** Standard error is a terminal: a line there can be written over. */
  readonly live: boolean;
  readonly colour: boolean;
}

/** One line on the terminal that says how far it is, and gives way to what is printed. */
export interface Progress extends Disposable {
  /** Prints above the line. */
  print(text: string): void;
  step(): void;
}

export function createProgress(screen: Screen, total: number, what: string): Progress {
  let done = 0;
  const clear = () => screen.live && screen.err("\r\x1b[K");
  const draw = () => screen.live && done < total && screen.err(`${done}/${total} ${what}`);
  draw();
  return {
    print(text) {
      clear();
      screen.out(text);
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
