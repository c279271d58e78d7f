import { formatPortRange } from "@ip-masq-agent/core";
import type { Paint } from "../text/colour.ts";
import { columns } from "../text/columns.ts";
import type { Explanation, Verdict } from "./explanation.ts";

/** More lines than these tell a person nothing; JSON has them all. */
const mostLines = 20;

const words: Readonly<Record<Verdict | "mixed", string>> = {
  local: "an address of this node, left alone",
  exempt: "exempt: keeps the sender's address",
  masqueraded: "masqueraded: leaves with the node's address",
  untouched: "left alone: no rules for its family",
  mixed: "in parts",
};

/** The answer for a person: what, and below it why. */
export function explanationText(explanation: Explanation, from: string | undefined, paint: Paint): readonly string[] {
  const { destination, verdict, parts, family } = explanation;
  const rows: (readonly [string, string])[] = [];
  if (verdict === "mixed") {
    for (const part of parts) rows.push(...listed(part.verdict, part.ranges ?? part.prefixes));
  }
  for (const { prefix, from: place } of parts.flatMap(({ entries }) => entries).slice(0, mostLines)) {
    rows.push(["because", `${prefix}  ${paint.faint(place)}`]);
  }
  if (verdict === "masqueraded") rows.push(["because", "no entry of the config holds it"]);
  if (verdict === "untouched") rows.push(["because", `${family} is off; --enable-ipv6 turns it on`]);
  rows.push(...leaving(explanation, from), ...kernelRows(explanation, paint));
  if (explanation.notReady !== undefined) rows.push(["agent", paint.bad(`not in force: ${explanation.notReady}`)]);
  return [`${paint.strong(destination)}  ${words[verdict]}`, ...columns(rows, "  ")];
}

function listed(name: string, prefixes: readonly string[]): readonly (readonly [string, string])[] {
  const shown = prefixes.slice(0, mostLines).map((prefix, at) => [at === 0 ? name : "", prefix] as const);
  const more = prefixes.length - shown.length;
  return more > 0 ? [...shown, ["", `and ${more} more; -o json lists them`]] : shown;
}

function leaving(explanation: Explanation, from: string | undefined): readonly (readonly [string, string])[] {
  const { way, ports = [], randomFully, verdict } = explanation;
  if (verdict === "exempt" && from !== undefined) return [["leaves as", from]];
  if (randomFully === undefined) return [];
  const range = ports.length === 0 ? "" : ` from ${ports.map(formatPortRange).join(", ")}`;
  const port = `source port${range}${randomFully ? ", fully random" : " kept where it is free"}`;
  if (way === undefined) return [["ports", port]];
  if ("unknown" in way) return [["leaves as", `the address of the interface it leaves by (${way.unknown}); ${port}`]];
  const via = way.gateway === undefined ? "" : ` via ${way.gateway}`;
  return [
    [
      "leaves as",
      `${way.address ?? "the interface's address"}; ${port}${from === undefined ? "" : `; sent by ${from}`}`,
    ],
    ["route", `${way.device}${via}`],
  ];
}

function kernelRows({ kernel, verdict }: Explanation, paint: Paint): readonly (readonly [string, string])[] {
  const where = kernel.backends.length === 0 ? "no rules of ours" : kernel.backends.join(" and ");
  if (kernel.agrees === true) return [["kernel", `${where}: ${paint.good("the same")}`]];
  if (kernel.agrees === undefined)
    return kernel.unreadable.map((why) => ["kernel", `${paint.warn("cannot be told")}; ${why}`] as const);
  return kernel.contradictions.flatMap(
    ({ prefixes, wanted, kernel: found }): readonly (readonly [string, string])[] => [
      ["kernel", paint.bad(`${where}: ${found}, and should be ${wanted}`)],
      ...(verdict === "mixed" ? listed("", prefixes) : []),
    ],
  );
}

/** Whether anything in the answer is other than it should be. */
export function isContradicted({ kernel }: Explanation): boolean {
  return kernel.agrees !== true;
}
