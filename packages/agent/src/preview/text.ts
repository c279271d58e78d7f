import type { Difference } from "@ip-masq-agent/core";
import type { Paint } from "../text/colour.ts";
import { columns } from "../text/columns.ts";
import type { FamilyPreview, Preview } from "./preview.ts";

/** More lines of one kind than these are counted, not shown; JSON has them all. */
const mostLines = 40;

/** The preview for a person: a diff for each family, and the address ranges that change sides. */
export function previewText({ backend, why, families }: Preview, paint: Paint): readonly string[] {
  const blocks = families.flatMap((family) => familyLines(family, paint));
  return [`backend  ${paint.strong(backend)} (${why})`, ...blocks];
}

/** The transactions, each under a comment with the command it is for. Text and comments are both as the tools take them. */
export function scriptOf({ families }: Preview): readonly string[] {
  return families
    .filter(({ transaction }) => transaction !== "")
    .flatMap(({ family, command, transaction }, at) => [
      ...(at === 0 ? [] : [""]),
      `# ${family}: ${command}`,
      ...transaction.replace(/\n$/, "").split("\n"),
    ]);
}

function familyLines(preview: FamilyPreview, paint: Paint): readonly string[] {
  const { family, off, summary, differences, removes, ranges } = preview;
  const quiet = off && removes.length === 0;
  if (quiet) return [];
  const head = off ? "off; what is there of ours goes" : summary === "" ? "nothing to write" : summary;
  return [
    "",
    `${paint.strong(family)}  ${head}`,
    ...cut(differences.flatMap((difference) => diffLines(difference, paint))),
    ...removes.map((name) => `  ${paint.bad(`- all rules of ${name}`)}${off ? "" : ", once these are in force"}`),
    ...sides("become masqueraded", ranges.becomeMasqueraded, paint.warn),
    ...sides("become exempt", ranges.becomeExempt, paint.warn),
    ...ranges.unknown.map((reason) => `  address ranges that change sides cannot be told: ${reason}`),
  ];
}

function diffLines({ subject, expected, found }: Difference, paint: Paint): readonly string[] {
  return [
    ...(found === undefined ? [] : [`  ${paint.bad(`- ${found}`)}  ${paint.faint(subject)}`]),
    ...(expected === undefined ? [] : [`  ${paint.good(`+ ${expected}`)}  ${paint.faint(subject)}`]),
  ];
}

function sides(name: string, prefixes: readonly string[], colour: (text: string) => string): readonly string[] {
  if (prefixes.length === 0) return [];
  return cut(
    columns(
      prefixes.map((prefix, at) => [at === 0 ? name : "", colour(prefix)]),
      "  ",
    ),
  );
}

function cut(lines: readonly string[]): readonly string[] {
  const more = lines.length - mostLines;
  return more > 0 ? [...lines.slice(0, mostLines), `  … and ${more} more lines; -o json has them all`] : lines;
}
