import { widthOf } from "./colour.ts";

/** Rows of cells, each column as wide as its widest cell, two spaces between; colours in a cell take no room. */
export function columns(rows: readonly (readonly string[])[], indent = ""): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, widthOf(cell));
  }
  return rows.map((row) => {
    const cells = row.map((cell, at) =>
      at === row.length - 1 ? cell : cell + " ".repeat((widths[at] ?? 0) - widthOf(cell)),
    );
    return `${indent}${cells.join("  ")}`.trimEnd();
  });
}
