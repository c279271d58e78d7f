/** What became of one of many questions. */
export type Result<Item, Answer> = { readonly item: Item } & (
  | { readonly answer: Answer }
  | { readonly problem: string }
);

/** Asks many at once, at most `parallel` at a time, and gives each answer when it comes. */
export async function* gather<Item, Answer>(
  items: readonly Item[],
  parallel: number,
  ask: (item: Item) => Promise<Answer>,
): AsyncGenerator<Result<Item, Answer>> {
  const waiting = [...items];
  const running = new Map<Item, Promise<Result<Item, Answer>>>();
  for (;;) {
    while (running.size < parallel) {
      const item = waiting.shift();
      if (item === undefined) break;
      running.set(item, outcome(item, ask));
    }
    if (running.size === 0) return;
    const result = await Promise.race(running.values());
    running.delete(result.item);
    yield result;
  }
}

async function outcome<Item, Answer>(item: Item, ask: (item: Item) => Promise<Answer>): Promise<Result<Item, Answer>> {
  try {
    return { item, answer: await ask(item) };
  } catch (cause) {
    return { item, problem: cause instanceof Error ? cause.message : String(cause) };
  }
}
