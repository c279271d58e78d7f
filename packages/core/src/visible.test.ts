import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeForeign } from "./backend/error.ts";
import { visible, visibleLines } from "./visible.ts";

describe("what cannot be seen is written out", () => {
  test.each([
    ["\u001b[2J", "\\u001b[2J"],
    ["a\nb\r\tc\u0000\u0007\u0008\u007f", "a\\nb\\r\\tc\\u0000\\u0007\\u0008\\u007f"],
    ["\u0085\u009b31m", "\\u0085\\u009b31m"],
    ["\u202e\u2066\u2069\u200e\u200f\u061c", "\\u202e\\u2066\\u2069\\u200e\\u200f\\u061c"],
    ["\u2028\u2029\u200b\u200d\ufeff\u00ad", "\\u2028\\u2029\\u200b\\u200d\\ufeff\\u00ad"],
    ["\u{e0041}\ud800x", "\\udb40\\udc41\\ud800x"],
    ["é 日本 \u{1f600} 'a' \"b\" \\ ~", "é 日本 \u{1f600} 'a' \"b\" \\ ~"],
  ])("%j", (text, shown) => {
    expect(visible(text)).toBe(shown);
    expect(visibleLines(`x\n${text.replaceAll("\n", "")}`)).toBe(`x\n${shown.replaceAll("\\n", "")}`);
  });

  test("a JSON text stays the same value", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.constantFrom("\u001b", "\u009b", "\u202e", "\u2028"),
        (text, more) => {
          const value = { [text]: [more, text + more] };
          const shown = visible(JSON.stringify(value));
          expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
          expect(JSON.parse(shown)).toEqual(value);
        },
      ),
    );
  });

  test("a tool's complaint keeps its lines, and nothing else", () => {
    expect(escapeForeign(" a\n\u001b[2J\u202e\u2028b \n")).toBe("a\n\\u001b[2J\\u202e\\u2028b");
    expect(escapeForeign("x".repeat(3_000), 10)).toBe("xxxxxxxxxx… (3000 characters)");
  });
});
