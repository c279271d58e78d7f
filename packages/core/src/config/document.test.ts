import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FindingCollector } from "./collect.ts";
import { parseDocument } from "./document.ts";
import type { Finding } from "./finding.ts";
import { configLimits } from "./limits.ts";
import { readConfig } from "./read.ts";
import { usual } from "./test-read.ts";
import type { Value } from "./value.ts";

function parse(content: string | Uint8Array): {
  readonly root: Value | undefined;
  readonly findings: readonly Finding[];
} {
  const collector = new FindingCollector();
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const root = parseDocument({ file: "f", content: bytes }, (finding) => collector.add(finding));
  return { root, findings: collector.findings() };
}

/** A value without its lines, maps as lists of pairs. */
function plain(value: Value | undefined): unknown {
  switch (value?.kind) {
    case "map":
      return value.entries.map((entry) => [entry.key, plain(entry.value)]);
    case "list":
      return value.items.map(plain);
    case "number":
      return `#${value.literal}`;
    case "boolean":
    case "string":
      return value.value;
    default:
      return value?.kind;
  }
}

function problems(content: string | Uint8Array): readonly string[] {
  return parse(content).findings.map(({ code, line }) => `${code}:${line ?? "-"}`);
}

describe("JSON or YAML", () => {
  test("a first { means strict JSON, after any space that Go knows", () => {
    expect(plain(parse(' \n\t{"a": yes}').root)).toBeUndefined();
    expect(plain(parse("\u2003{a: 1}").root)).toBeUndefined();
    expect(plain(parse("# comment\n{a: yes}").root)).toEqual([["a", true]]);
    expect(plain(parse("[yes]").root)).toEqual([true]);
  });

  test("encodings: UTF-8 and UTF-16 with a byte order mark, which also makes a { YAML", () => {
    expect(plain(parse("\ufeffa: yes").root)).toEqual([["a", true]]);
    expect(plain(parse("\ufeff{a: yes}").root)).toEqual([["a", true]]);
    const wide = Buffer.from("\ufeffa: yes\n", "utf16le");
    expect(plain(parse(wide).root)).toEqual([["a", true]]);
    expect(plain(parse(Buffer.from(wide).swap16()).root)).toEqual([["a", true]]);
    expect(problems(Buffer.from("a: yes\n", "utf16le"))).toEqual(["yaml-syntax:1"]);
    expect(problems(Uint8Array.of(0x61, 0x3a, 0x20, 0xff))).toEqual(["encoding:-"]);
    expect(problems(Uint8Array.of(0xff, 0xfe, 0x00, 0xd8))).toEqual(["encoding:-"]);
  });

  test("a file that is too large is not read at all", () => {
    const sized = (bytes: number) => readConfig([{ file: "f", content: new Uint8Array(bytes).fill(35) }], usual);
    expect(sized(configLimits.bytes + 1).findings).toMatchObject([{ code: "file-too-large", file: "f" }]);
    expect(sized(configLimits.bytes).findings).toEqual([]);
  });

  test("nothing at all, comments and null are null", () => {
    for (const text of ["", "\n\n   \n", "# a\n", "---\n", "...\n", "null", "~", "--- # a\n...\n"]) {
      expect(plain(parse(text).root)).toBe("null");
    }
  });
});

describe("JSON", () => {
  test("keeps literals and lines", () => {
    const { root } = parse('{"a": 1e2,\n"b": [64.0, -0],\r\n"c": "\\u0035\\ud83d\\ude00\\/", "d": {}}');
    expect(plain(root)).toEqual([
      ["a", "#1e2"],
      ["b", ["#64.0", "#-0"]],
      ["c", "5😀/"],
      ["d", []],
    ]);
    expect(root?.kind === "map" && root.entries.map(({ line }) => line)).toEqual([1, 2, 3, 3]);
  });

  test.each([
    ["{*", 1],
    ["{", 1],
    ['{"a"', 1],
    ['{"a":\n1,}', 2],
    ['{"a": 1}\nxyz', 2],
    ['{"a": 1} # comment', 1],
    ["{a: 1}", 1],
    ["{'a': 1}", 1],
    ['{"a": 064}', 1],
    ['{"a": +1}', 1],
    ['{"a": .5}', 1],
    ['{"a": 1.}', 1],
    ['{"a": tru}', 1],
    ['{"a": NaN}', 1],
    ['{"a": "\t"}', 1],
    ['{"a": "\\x41"}', 1],
    ['{"a": "b}', 1],
    ['{"a": "\\"}', 1],
    ['{"a": [1 2]}', 1],
    [`{"a":${"[".repeat(200)}`, 1],
  ])("%.30s is refused", (text, line) => {
    expect(problems(text)).toEqual([`json-syntax:${line}`]);
  });

  test("reads what JSON.parse reads, and nothing else", () => {
    const near = fc.oneof(
      fc.json(),
      fc
        .json()
        .chain((text) =>
          fc
            .tuple(fc.nat(text.length), fc.string({ maxLength: 2 }))
            .map(([at, junk]) => text.slice(0, at) + junk + text.slice(at)),
        ),
    );
    fc.assert(
      fc.property(near, (inner) => {
        const text = `{"a":${inner}}`;
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        const { root, findings } = parse(text);
        expect(root !== undefined).toBe(valid);
        expect(findings.every(({ code }) => code === (valid ? "duplicate-key" : "json-syntax"))).toBe(true);
      }),
    );
  });
});

describe("YAML", () => {
  test("keeps lines, of values, keys and aliases", () => {
    const { root } = parse("a: &x\n  - 1\n  -\n   2\nb:\nc: *x\n");
    expect(root).toMatchObject({
      kind: "map",
      line: 1,
      entries: [
        { key: "a", line: 1, value: { kind: "list", line: 2, items: [{ line: 2 }, { line: 4 }] } },
        { key: "b", line: 5, value: { kind: "null", line: 5 } },
        { key: "c", line: 6, value: { kind: "list", line: 6 } },
      ],
    });
  });

  test("scalars of YAML 1.1, keys too", () => {
    expect(plain(parse("a: yes\nb: 'yes'\nc: !!str yes\nd: ! 'yes'\n1: ~\non: 0x10\n").root)).toEqual([
      ["a", true],
      ["b", "yes"],
      ["c", "yes"],
      ["d", true],
      ["1", "null"],
      ["true", "#16"],
    ]);
  });

  test("merge keys: below them a key overrides, above them it is ambiguous, the first map of a list wins", () => {
    const base = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n";
    const merged = (map: string) => plain(parse(`- ${base.replaceAll("\n", "\n  ")}z: ${map}`).root);
    const z = (map: string) => JSON.stringify(merged(map)).replace(/^.*\["z",/, "");
    expect(z("{<<: *x, b: 5}")).toBe('[["a","#1"],["b","#5"]]]]]');
    expect(z("{<<: [*x, *y]}")).toBe('[["a","#1"],["b","#2"],["c","#4"]]]]]');
    expect(z("{'<<': 1}")).toBe('[["<<","#1"]]]]]');
    expect(problems(`${base}z: {b: 5, <<: *x}`)).toEqual(["duplicate-key:3"]);
    expect(problems(`${base}z: {b: 5, <<: {c: 1}, b: 6}`)).toEqual(["duplicate-key:3"]);
    expect(problems(`${base}z: {<<: *x, <<: *y}`)).toEqual(["duplicate-key:3"]);
    expect(problems("<<: 5")).toEqual(["yaml-syntax:1"]);
  });

  test.each([
    ["a: 1\na: 2\n", ["duplicate-key:2"]],
    ["a: {b: 1, b: 2}\n", ["duplicate-key:1"]],
    ["yes: 1\ntrue: 2\n", ["duplicate-key:2"]],
    ["a: 1\n---\nb: 1\n---\nc: 1\n", ["second-document:3", "second-document:5"]],
    ["---\n---\na: 1\n", ["second-document:3"]],
    ["a: 1\n...\nb: 1\n", ["second-document:3"]],
    ["a: 1\n---\n", []],
    ["a: 1\n...\n---\n# nothing\n", []],
    ["a: 1\n---\n*\n", ["yaml-syntax:3"]],
    ["*", ["yaml-syntax:1"]],
    ["a:\n\t- 1\n", ["yaml-syntax:2"]],
    ["a: 1 # \u0007\n", ["yaml-syntax:1"]],
    ["a: 1\n b: 2\n", ["yaml-syntax:2"]],
    ["a: *b\n", ["yaml-syntax:1"]],
    ["a: &a [*a]\n", ["yaml-syntax:1"]],
    ["? [a]\n: 1\n", ["yaml-syntax:1"]],
    ["~: 1\n", ["yaml-syntax:1"]],
    ["a: .inf\n", ["yaml-syntax:1"]],
    ["a: !!int x\n", ["yaml-syntax:1"]],
    ["%YAML 1.1\n---\na: 1\n", []],
    ["%YAML 1.2\n---\na: 1\n", ["yaml-syntax:1"]],
    [`a: ${"[".repeat(100_000)}`, ["yaml-syntax:1"]],
  ])("%.30j", (text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  test("bombs cost nothing: aliases of aliases, and merges of merges", () => {
    const levels = (count: number) =>
      Array.from({ length: count }, (_, at) => `b${at}: &a${at + 1} [${Array(9).fill(`*a${at}`)}]\n`).join("");
    expect(problems(`a: &a0 [1]\n${levels(11)}`)).toEqual([]);
    expect(problems(`a: &a0 [1]\n${levels(60)}`)).toEqual(["too-many-aliases:13"]);
    const keys = Array.from({ length: 900 }, (_, index) => `k${index}: 1`).join(", ");
    const merges = Array.from({ length: 99 }, (_, index) => `m${index}: {<<: *a}\n`).join("");
    expect(problems(`a: &a {${keys}}\n${merges}`)).toEqual(["yaml-syntax:13"]);
  });

  test("names that mean something to JavaScript are keys like any other", () => {
    const { root } = parse("__proto__: {a: 1}\nconstructor: 2\n");
    expect(plain(root)).toEqual([
      ["__proto__", [["a", "#1"]]],
      ["constructor", "#2"],
    ]);
    expect(Object.hasOwn(Object.prototype, "a")).toBe(false);
  });
});

test("whatever the bytes, there is a value or a finding, and no exception", () => {
  const fragment = fc.constantFrom(
    "a",
    ": ",
    "- ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ",",
    '"',
    "'",
    "&a",
    "*a",
    "!!int ",
    "<<",
    "? ",
    "|",
    ">",
    "#",
    "---\n",
    "...\n",
    "%",
    "\t",
    "\\",
    "1",
    "~",
    "\r",
    "@",
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.array(fragment, { maxLength: 25 }).map((parts) => new TextEncoder().encode(parts.join(""))),
  );
  fc.assert(
    fc.property(bytes, (content) => {
      const { root, findings } = parse(content);
      expect(root !== undefined || findings.length === 1 || findings.at(-1)?.severity === "error").toBe(true);
    }),
    { numRuns: 2_000 },
  );
});
