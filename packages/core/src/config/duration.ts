/** Why a text is no duration, as the end of the sentence "the value …". */
export interface DurationProblem {
  readonly reason: string;
  readonly remedy: string;
}

const nanosecondsPer: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n],
  ["\u03bcs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

/** A `time.Duration` is an int64 of nanoseconds: about 292 years. */
const longest = (1n << 63n) - 1n;

/** Go reads parts without end; a megabyte of them takes as long as a whole config may. */
const longestText = 1_000;

/** A number and its unit; the number ends where a character is neither digit nor point, the unit where one is. */
const part = /(\d*)(\.?)(\d*)([^\d.]*)/y;

/**
 * Reads a duration as Go's `time.ParseDuration` does (`1h30m`, `1.5s`, `-500ms`, `0`), in milliseconds; 1 ns is 1e-6 of
 * one. Parts add up, in any order and more than once.
 */
export function parseDuration(text: string): number | DurationProblem {
  if (text.length > longestText) return { reason: `has ${text.length} characters`, remedy: "write it as 60s or 1m30s" };
  const [, sign, unsigned = ""] = /^([-+]?)(.*)$/s.exec(text) ?? [];
  if (unsigned === "0") return 0;
  if (unsigned === "") return invalid();
  let total = 0n;
  part.lastIndex = 0;
  while (part.lastIndex < unsigned.length) {
    const [, whole = "", , fraction = "", unit = ""] = part.exec(unsigned) ?? [];
    if (whole === "" && fraction === "") return invalid();
    if (unit === "") {
      return {
        reason: "has a number without a unit",
        remedy: `write the unit after the number, as in ${whole === "" ? "1" : whole}s`,
      };
    }
    const unitSize = nanosecondsPer.get(unit);
    if (unitSize === undefined) {
      return { reason: `has the unknown unit "${unit}"`, remedy: "the units are h, m, s, ms, us and ns: 1h30m, 500ms" };
    }
    const significant = whole.replace(/^0+(?=\d)/, "");
    if (significant.length > 19) return tooLong();
    total += BigInt(significant) * unitSize + fractionOf(fraction, unitSize);
    if (total > longest + 1n) return tooLong();
  }
  if (sign === "-") return 0 - toMilliseconds(total);
  return total > longest ? tooLong() : toMilliseconds(total);
}

/** In doubles and cut, not rounded, because Go does so; digits that int64 has no room for change nothing. */
function fractionOf(digits: string, unitSize: bigint): bigint {
  let value = 0n;
  let scale = 1;
  for (const digit of digits.slice(0, 400)) {
    const next = value * 10n + BigInt(digit);
    if (value > longest / 10n || next > longest + 1n) break;
    value = next;
    scale *= 10;
  }
  return BigInt(Math.trunc(Number(value) * (Number(unitSize) / scale)));
}

/** Milliseconds as Go prints a `time.Duration`: `1m0s`, `1.5s`, `100ms`, `0s`. Exact to the nanosecond. */
export function formatDuration(milliseconds: number): string {
  const whole = Math.trunc(milliseconds);
  const nanoseconds = BigInt(whole) * 1_000_000n + BigInt(Math.round((milliseconds - whole) * 1e6));
  if (nanoseconds === 0n) return "0s";
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  return `${nanoseconds < 0n ? "-" : ""}${formatPositive(size)}`;
}

/** Below a second in the largest unit that leaves no zero in front; from there on in hours, minutes and seconds. */
function formatPositive(nanoseconds: bigint): string {
  if (nanoseconds < 1_000n) return `${nanoseconds}ns`;
  if (nanoseconds < 1_000_000n) return `${withFraction(nanoseconds, 1_000n)}\u00b5s`;
  if (nanoseconds < 1_000_000_000n) return `${withFraction(nanoseconds, 1_000_000n)}ms`;
  const minutes = nanoseconds / 60_000_000_000n;
  const seconds = `${withFraction(nanoseconds % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return seconds;
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

function withFraction(value: bigint, unit: bigint): string {
  const width = String(unit).length - 1;
  const fraction = String(value % unit)
    .padStart(width, "0")
    .replace(/0+$/, "");
  return fraction === "" ? String(value / unit) : `${value / unit}.${fraction}`;
}

function toMilliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6;
}

function invalid(): DurationProblem {
  return { reason: "is not a duration", remedy: "write a number with its unit, as in 60s or 1m30s" };
}

function tooLong(): DurationProblem {
  return { reason: "is longer than a duration can be (292 years)", remedy: "write a shorter one, as in 60s or 1h" };
}
