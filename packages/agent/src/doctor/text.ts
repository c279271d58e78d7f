import type { Paint } from "../text/colour.ts";
import { wrap } from "../text/wrap.ts";
import type { Diagnosis, Level } from "./diagnosis.ts";

const width = 100;
const levels: readonly Level[] = ["error", "warning", "info", "ok"];

/** The findings for a person: in the order of the checks; below an error or warning why it matters and what to do. */
export function doctorText(found: readonly Diagnosis[], paint: Paint): readonly string[] {
  const checkWidth = Math.max(...found.map(({ check }) => check.length));
  const indent = " ".repeat(9 + checkWidth + 2);
  const lines = found.flatMap(({ level, check, what, why, remedy }) => {
    const more = [...(why === undefined ? [] : [`why: ${why}`]), ...(remedy === undefined ? [] : [`do: ${remedy}`])];
    return [
      `${colour(level, paint)(level.padEnd(9))}${check.padEnd(checkWidth)}  ${what}`,
      ...more.flatMap((sentence) => wrap(sentence, width - indent.length).map((line) => `${indent}${line}`)),
    ];
  });
  return [...lines, "", summary(found)];
}

function summary(found: readonly Diagnosis[]): string {
  return levels.map((level) => `${found.filter((one) => one.level === level).length} ${level}`).join(", ");
}

function colour(level: Level, paint: Paint): (text: string) => string {
  return { error: paint.bad, warning: paint.warn, info: paint.faint, ok: paint.good }[level];
}
