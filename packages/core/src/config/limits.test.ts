import { describe, expect, test } from "vitest";
import { configLimits, countMarks } from "./limits.ts";
import { readConfig } from "./read.ts";
import { messages, readAll, usual } from "./test-read.ts";

const mebibyte = 2 ** 20;

/** As many repetitions as fit into so many bytes. */
function fill(part: string, bytes: number, head = "", tail = ""): string {
  return head + part.repeat(Math.floor((bytes - head.length - tail.length) / part.length)) + tail;
}

/** Texts that take long to parse for their size: dense, deep, repeated or never ending. */
const dense: readonly (readonly [string, string, string, string])[] = [
  ["aliases", "*a,", "a: &a 10.0.0.0/8\nnonMasqueradeCIDRs: [", "]"],
  ["merges", "<<: *a\n", "a: &a {b: c}\n", ""],
  ["anchors", "- &a x\n", "", ""],
  ["open brackets", "[", "", ""],
  ["open brackets in JSON", "[", '{"a": ', ""],
  ["empty lists", "[],", "[", "]"],
  ["nested lists", `${"[".repeat(90)}${"]".repeat(90)},`, "[", "]"],
  ["nested blocks", "- - - - - - - - - - - a\n", "", ""],
  ["unknown keys", "k: 1\n", "", ""],
  ["keys in JSON", '"k":1,', "{", '"a":1}'],
  ["key after key in JSON", '{"k":1},', '{"a":[', "1]}"],
  ["explicit keys", "? a\n", "", ""],
  ["pairs", "a: b,", "[", "]"],
  ["colons", ":,", "[", "]"],
  ["documents", "---\n", "", ""],
  ["documents with content", "--- a\n", "", ""],
  ["no CIDRs", "- a\n", "nonMasqueradeCIDRs:\n", ""],
  ["numbers", "- 1e9999\n", "nonMasqueradeCIDRs:\n", ""],
  ["numbers in JSON", "0,", '{"nonMasqueradeCIDRs":[', "0]}"],
  ["misaligned", "- 1.0.0.1/8\n", "nonMasqueradeCIDRs:\n", ""],
  ["the same again and again", "- 1.0.0.0/8\n", "cidrLimit: 1000000\nnonMasqueradeCIDRs:\n", ""],
  ["blank lines", "\n", "", ""],
  ["carriage returns", "\r", "", ""],
  ["comments", "#\n", "", ""],
  ["spaces", " ", "", ""],
  ["tabs", "\t", "", ""],
  ["a long number", "9", "a: ", ""],
  ["a long hexadecimal number", "f", "cidrLimit: 0x", ""],
  ["a long text", "x", "a: '", "'"],
  ["a text that is never closed", "x", "a: '", ""],
  ["escapes", "\\u0041", 'a: "', '"'],
  ["backslashes", "\\", '{"a": "', ""],
  ["a folded text", " x\n", "a: >\n", ""],
  ["a text of many lines", "x\n ", 'a: "', '"'],
  ["a long key", "k", "", ": 1"],
  ["a duration", "1h", "resyncInterval: ", ""],
  ["a long CIDR", "1:", "nonMasqueradeCIDRs: ['", "']"],
  ["directives", "%TAG !a! x\n", "", ""],
  ["tags", "- !a x\n", "", ""],
];

/** Processor time of this process in milliseconds: a busy machine does not count. */
function processorTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

describe("whatever a file holds", () => {
  test.each(dense)("%s: 4 MiB are understood or refused at once, with few findings", (_, part, head, tail) => {
    const content = new TextEncoder().encode(fill(part, configLimits.bytes, head, tail));
    // What is within the limit on marks is as dense as can be in another size.
    const smaller = content.subarray(0, content.length / 4);
    for (const bytes of [content, smaller]) {
      let result = readConfig([], usual);
      const took = processorTime(() => {
        result = readConfig([{ file: "f", content: bytes }], usual);
      });
      expect(result.findings.length).toBeLessThanOrEqual(configLimits.findings + 2);
      // Twice the 250 ms that hold on two cores for code that is compiled: the first run of each here is not.
      expect(took).toBeLessThan(500);
    }
  });
});

describe("refused", () => {
  const lines = (text: string, count: number) => text.repeat(count);

  test.each([
    ["too-many-aliases", `a: &a x\nb:\n${lines("- *a\n", configLimits.aliases + 1)}`],
    ["too-many-documents", lines("---\n", configLimits.documents + 1)],
    ["too-many-keys", Array.from({ length: configLimits.keys + 1 }, (_, at) => `k${at}: 1\n`).join("")],
    ["too-many-keys", `{${Array.from({ length: configLimits.keys + 1 }, (_, at) => `"k${at}": 1`).join()}}`],
    ["too-many-parts", lines("\n", configLimits.marks + 1)],
    ["too-many-parts", `{"a": [${lines("0,", configLimits.marks)}0]}`],
    ["file-too-large", " ".repeat(configLimits.bytes + 1)],
  ])("%s names the limit and a remedy, in one finding", (code, text) => {
    const { config, findings } = readAll({ f: text });
    expect(config).toBeUndefined();
    expect(findings).toMatchObject([{ severity: "error", code, file: "f" }]);
    expect(findings[0]?.reason).toMatch(/(?:more than|at most) \d+/);
    expect(findings[0]?.remedy).not.toBe("");
  });

  test.each([
    ["aliases", `a: &a x\nb:\n${lines("- *a\n", configLimits.aliases)}`],
    ["documents", lines("---\n", configLimits.documents)],
    ["keys", Array.from({ length: configLimits.keys }, (_, at) => `k${at}: 1\n`).join("")],
    ["parts", lines("\n", configLimits.marks)],
  ])("as many %s as are allowed are not", (_, text) => {
    expect(readAll({ f: text }).config).toBeDefined();
  });

  test("files together, by their number, size and parts", () => {
    const files = (count: number, text: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`ip-masq-${at}`, text]));
    expect(readAll(files(configLimits.files, "{}")).config).toBeDefined();
    expect(messages(readAll(files(configLimits.files + 1, "{}")))).toEqual([
      "error too-many-files ip-masq-0: there are 17 config files, and at most 16 are read; put their lists into fewer files",
    ]);
    expect(messages(readAll(files(5, " ".repeat(mebibyte))))).toEqual([
      "error file-too-large ip-masq-0: the 5 config files have 5242880 bytes, and at most 4194304 are read; check that it is the right file; fewer, larger CIDRs say the same in less",
    ]);
    expect(readAll(files(2, lines("\n", 70_000))).findings).toMatchObject([
      { code: "too-many-parts", file: "ip-masq-1" },
    ]);
  });
});

test.each([
  ["- 10.0.0.0/8\n", 2],
  ["  - 10.0.0.0/8 # a-b: c\r\n  - fd00::/8\n", 4],
  ['["10.0.0.0/8",\n"fd00::/8"]', 3],
  ["a: b\n? c\n", 4],
  ["- - - a", 3],
])("%j has %i marks", (text, count) => {
  expect(countMarks(text, 100)).toBe(count);
  expect(countMarks(text, count - 1)).toBe(count);
});

describe("a list of as many CIDRs as are allowed, in any layout", () => {
  const cidrs = Array.from({ length: configLimits.entries }, (_, at) => {
    const groups = [at >> 8, at & 255, at, 7, 7, 7].map((group) => group.toString(16).padStart(4, "0"));
    return `2001:0db8:${groups.join(":")}/128`;
  });

  test.each([
    ["a block", `cidrLimit: 50000\nnonMasqueradeCIDRs:\n${cidrs.map((cidr) => `  - "${cidr}"\n`).join("")}`],
    [
      "with comments that are no ASCII",
      `cidrLimit: 50000\nnonMasqueradeCIDRs:\n${cidrs.map((cidr) => `- ${cidr} # é\n`).join("")}`,
    ],
    ["in brackets", `cidrLimit: 50000\nnonMasqueradeCIDRs: [${cidrs.join(", ")}]\n`],
    ["in brackets, a line each", `cidrLimit: 50000\nnonMasqueradeCIDRs: [\n  ${cidrs.join(",\n  ")}\n  ]\n`],
    ["JSON", JSON.stringify({ cidrLimit: 50_000, nonMasqueradeCIDRs: cidrs })],
    ["JSON, indented", JSON.stringify({ cidrLimit: 50_000, nonMasqueradeCIDRs: cidrs }, undefined, 2)],
  ])("%s", (_, text) => {
    let entries: number | undefined;
    const took = processorTime(() => {
      entries = readAll({ f: text }).config?.nonMasqueradeCIDRs.length;
    });
    expect(entries).toBe(configLimits.entries);
    expect(took).toBeLessThan(1_000);
  });
});
