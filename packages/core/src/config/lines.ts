/** Turns an offset into a text into a line number, counted from 1. */
export interface LineIndex {
  lineOf(offset: number): number;
  /** A line's text, without what ends it. */
  textOf(line: number): string;
}

/** Lines end with LF, CR LF or CR, as YAML 1.2 section 5.4 has it. O(text) once, then O(log lines) a question. */
export function lineIndex(text: string): LineIndex {
  const starts: number[] = [0];
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 10 || (code === 13 && text.charCodeAt(index + 1) !== 10)) starts.push(index + 1);
  }
  return {
    lineOf(offset) {
      let low = 0;
      let high = starts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if ((starts[middle] ?? 0) <= offset) low = middle;
        else high = middle - 1;
      }
      return low + 1;
    },
    textOf(line) {
      return text.slice(starts[line - 1], starts[line]).replace(/[\r\n]+$/, "");
    },
  };
}
