/**
 * Characters that do something where a text is shown, in the place of being shown: control characters (ESC begins a
 * terminal's commands, U+009B is ESC and [ in one), format characters (U+202E turns the rest of a line round), the
 * separators U+2028 and U+2029, and halves of surrogate pairs.
 */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const short: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/**
 * A text of whatever origin as one line that says what it holds: what cannot be seen is written as in JSON (`\u001b`,
 * `\n`). So the inside of a JSON string stays the same string.
 */
export function visible(text: string): string {
  return text.replace(invisible, (character) => short.get(character) ?? escapeUnits(character));
}

/** The same for a text of several lines of somebody else's, such as a tool's complaint. */
export function visibleLines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}

/** By UTF-16 unit, as JSON has it: U+E0041 is `\udb40\udc41`. */
function escapeUnits(character: string): string {
  let escaped = "";
  for (let at = 0; at < character.length; at++) {
    escaped += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}
