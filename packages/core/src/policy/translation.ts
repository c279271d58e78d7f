import type { Masquerade, PortRange } from "./policy.ts";

/** Protocols whose source port `--to-ports` governs; all others keep plain masquerade, as in the Go original. */
export const portProtocols: readonly string[] = ["tcp", "udp", "sctp"];

/** How many ports a range has: its weight against the others. */
export function portCount(range: PortRange): number {
  return range.last - range.first + 1;
}

/** One step of a choice made in turn: take this range in `chosen` of `outOf` cases, else go on to the next step. */
export interface PortChoice {
  readonly range: PortRange;
  readonly chosen: number;
  readonly outOf: number;
}

/**
 * The choice among weighted ranges as a sequence of independent draws, which is all that rules can do: the first range
 * with probability w1/W, the second with w2/(W-w1), …, the last always. Every port of every range is equally likely.
 */
export function portChoices(ports: readonly PortRange[]): readonly PortChoice[] {
  let outOf = ports.reduce((sum, range) => sum + portCount(range), 0);
  return ports.map((range) => {
    const chosen = portCount(range);
    const choice = { range, chosen, outOf };
    outOf -= chosen;
    return choice;
  });
}

/** `1024-29999`, or `80` for a single port. */
export function formatPortRange(range: PortRange): string {
  return range.first === range.last ? `${range.first}` : `${range.first}-${range.last}`;
}

export function sameTranslation(a: Masquerade, b: Masquerade): boolean {
  return (
    a.randomFully === b.randomFully &&
    a.ports.length === b.ports.length &&
    a.ports.every((range, index) => range.first === b.ports[index]?.first && range.last === b.ports[index]?.last)
  );
}
