export interface Nearness {
  /** The most letters that may differ, however long the word. Default: any number. */
  readonly most?: number;
  /** What of a text counts. Default: all of it. */
  letters?(text: string): string;
}

/**
 * The word of a list that an unknown one is probably a slip of the pen for: the one with the fewest edits, the first of
 * several; undefined where too many letters differ. At most a third of a word's letters may, and never more than `most`.
 */
export function nearest<T extends string>(
  written: string,
  words: readonly T[],
  { most = Number.POSITIVE_INFINITY, letters = (text) => text }: Nearness = {},
): T | undefined {
  const text = letters(written);
  let found: T | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const word of words) {
    const limit = Math.min(most, Math.floor(word.length / 3));
    // Also keeps a word of a million letters away from the quadratic part.
    if (Math.abs(text.length - letters(word).length) > limit) continue;
    const edits = editDistance(text, letters(word));
    if (edits <= limit && edits < fewest) [found, fewest] = [word, edits];
  }
  return found;
}

/**
 * The fewest letters to insert, delete, replace or swap with their neighbour that turn one text into the other (optimal
 * string alignment).
 */
export function editDistance(from: string, to: string): number {
  let before: readonly number[] = [];
  let above: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current: number[] = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(above, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
          ? at(before, column - 2) + 1
          : Number.POSITIVE_INFINITY;
      current.push(Math.min(at(above, column) + 1, at(current, column - 1) + 1, replaced, swapped));
    }
    [before, above] = [above, current];
  }
  return at(above, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
