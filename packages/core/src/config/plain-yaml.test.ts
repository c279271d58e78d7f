import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parsePlainYaml } from "./plain-yaml.ts";
import { parseYaml } from "./yaml.ts";

/** What the whole parser makes of a text, and undefined where it has anything to say against it. */
function parseWhole(text: string): unknown {
  let problems = 0;
  const value = parseYaml(text, () => problems++);
  return problems === 0 ? value : undefined;
}

/** Pieces of configs, plain and less plain, to be put together in any order. */
const keys = [
  "nonMasqueradeCIDRs",
  "cidrLimit",
  "MASQLINKLOCAL",
  "resyncInterval",
  "unknown",
  "yes",
  "a b",
  '"cidrLimit"',
];
const scalars = [
  ...[
    "10.0.0.0/8",
    "fd00::/8",
    "::1/128",
    "10.0.0.1",
    "fd00::",
    "a:b",
    "a: b",
    "64",
    "0x1f",
    "017",
    "08",
    "1e2",
    "1_0",
    "60s",
  ],
  ...[
    "1:30",
    "true",
    "Off",
    "null",
    "~",
    ".5",
    "5.",
    ".inf",
    "''",
    '"10.0.0.0/8"',
    "'10.0.0.0/8'",
    "\"10.0.0.0/8'",
    "-",
    "- a",
  ],
  ...[
    "[]",
    "{}",
    "[a]",
    "&a b",
    "*a",
    "!!str 64",
    "|",
    ">",
    "<<",
    "a#b",
    "a #b",
    "2026-11-23",
    "1.",
    "a_",
    "a/",
    "/a",
    "é",
  ],
];
const spaces = ["", " ", "  ", "    ", "\t"];
const ends = [
  "\n",
  "\n",
  "\n",
  " \n",
  " # why\n",
  "#x\n",
  "\r\n",
  "",
  "\n\n",
  "\n# note\n",
  "\n  # note\n",
  "\n---\n",
  "\n...\n",
];
const odd = fc.oneof(
  fc.tuple(
    fc.constantFrom(...keys),
    fc.constantFrom(":", ": ", ":  ", " : "),
    fc.constantFrom("", ...scalars),
    fc.constantFrom(...ends),
  ),
  fc.tuple(
    fc.constantFrom(...spaces),
    fc.constantFrom("- ", "-", "-  "),
    fc.constantFrom(...scalars),
    fc.constantFrom(...ends),
  ),
  fc.constantFrom("# comment\n", "\n", "  \n", "---\n", "%YAML 1.2\n", "\ufeff", "\u0000").map((text) => [text]),
);
/** What most configs are made of, in any order; a document of these has a few odd pieces, or none. */
const usual = fc.oneof(
  fc.constantFrom("nonMasqueradeCIDRs:\n", "nonMasqueradeCIDRs: # ours\n").map((text) => [text]),
  fc.tuple(fc.constant("  - "), fc.constantFrom(...scalars), fc.constant("\n")),
  fc.tuple(
    fc.constantFrom("cidrLimit: ", "resyncInterval: ", "unknown: "),
    fc.constantFrom(...scalars),
    fc.constant("\n"),
  ),
);
const document = fc.array(fc.oneof({ weight: 6, arbitrary: usual }, { weight: 1, arbitrary: odd }), { maxLength: 6 });

describe("parsePlainYaml", () => {
  test("reads what it reads as the whole parser does, lines included", () => {
    let read = 0;
    fc.assert(
      fc.property(document, (pieces) => {
        const text = pieces.flat().join("");
        const value = parsePlainYaml(text);
        if (value === undefined) return;
        read++;
        expect(value).toEqual(parseWhole(text));
      }),
      { numRuns: 20_000 },
    );
    // Otherwise the property would hold of a parser that reads nothing.
    expect(read).toBeGreaterThan(200);
  });

  test.each([
    [
      "the README's sample",
      'nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n  - "fd00::/8" # ours\n\n# why\nmasqLinkLocal: false\nresyncInterval: 60s\n',
    ],
    ["no indent, no end of line", "nonMasqueradeCIDRs:\n- 10.0.0.0/8\n- 192.168.0.0/16"],
    [
      "a limit and a comment below the list",
      "cidrLimit: 64 # enough\nnonMasqueradeCIDRs:\n  - 10.0.0.0/8\n  # the end\n",
    ],
  ])("reads %s", (_, text) => {
    expect(parsePlainYaml(text)).toBeDefined();
    expect(parsePlainYaml(text)).toEqual(parseWhole(text));
  });

  test.each([
    ["nothing", ""],
    ["a key twice", "cidrLimit: 1\ncidrLimit: 2\n"],
    ["items at two depths", "nonMasqueradeCIDRs:\n  - 10.0.0.0/8\n - 11.0.0.0/8\n"],
    ["a key without a value", "nonMasqueradeCIDRs:\ncidrLimit: 1\n"],
    ["a list in brackets", "nonMasqueradeCIDRs: [10.0.0.0/8]\n"],
    ["a tab", "nonMasqueradeCIDRs:\n\t- 10.0.0.0/8\n"],
  ])("leaves %s to the whole parser", (_, text) => {
    expect(parsePlainYaml(text)).toBeUndefined();
  });
});
