import {
  type AddressRange,
  type Family,
  formatAddress,
  formatPortRange,
  formatPrefix,
  type Prefix,
} from "@ip-masq-agent/core";
import { addressType, chainName, hookPriority, nftFamily, setName, tableOf } from "./names.ts";
import type { NftRule, NftRuleset } from "./ruleset.ts";

/** Elements on one line of text: nft reads lines of any length, people do not. */
const elementsPerLine = 8;

/**
 * The whole table in one transaction. `add` makes `delete` succeed on a fresh node; only deleting can change a set's
 * flags or a chain's hook (`add` with others returns 0 and changes nothing). Byte-stable for equal rulesets. Not for a
 * table in use: a packet that is between the old chain and the old set when the kernel changes over misses the set.
 */
export function renderWhole(ruleset: NftRuleset): string {
  const { family, exempt, rules } = ruleset;
  const table = tableOf(family);
  const elements = exempt.prefixes.map(formatPrefix);
  return [
    `add table ${table}`,
    `delete table ${table}`,
    `table ${table} {`,
    `  set ${setName} {`,
    `    type ${addressType(family)}`,
    "    flags interval",
    ...(elements.length === 0 ? [] : [`    elements = { ${inLines(elements)} }`]),
    "  }",
    `  chain ${chainName} {`,
    `    type nat hook postrouting priority ${hookPriority}; policy accept;`,
    ...rules.map((rule) => `    ${renderRule(family, rule)}`),
    "  }",
    "}",
    "",
  ].join("\n");
}

/** The statements that leave table, chain and set where they are, and change what is in them. One transaction. */
export interface NftEdits {
  /** Empty the set first; `add` is then all that it is to hold. */
  readonly refill: boolean;
  readonly remove: readonly AddressRange[];
  readonly add: readonly Prefix[];
  /** All rules of the chain, in order; absent: they stay. */
  readonly rules?: readonly NftRule[];
}

export function renderEdits(family: Family, { refill, remove, add, rules }: NftEdits): string {
  const set = `${tableOf(family)} ${setName}`;
  const chain = `${tableOf(family)} ${chainName}`;
  const lines: string[] = [];
  if (refill) lines.push(`flush set ${set}`);
  if (remove.length > 0)
    lines.push(`delete element ${set} { ${inLines(remove.map((range) => renderRange(family, range)))} }`);
  if (add.length > 0) lines.push(`add element ${set} { ${inLines(add.map(formatPrefix))} }`);
  if (rules !== undefined)
    lines.push(`flush chain ${chain}`, ...rules.map((rule) => `add rule ${chain} ${renderRule(family, rule)}`));
  return lines.map((line) => `${line}\n`).join("");
}

/** One rule as nft takes it; for a foreign one, what nft told of it. */
export function renderRule(family: Family, rule: NftRule): string {
  switch (rule.kind) {
    case "local":
      return "fib daddr type local return";
    case "exempt":
      return `${nftFamily(family)} daddr @${setName} counter return`;
    case "foreign":
      return rule.expression;
    case "masquerade": {
      const words: string[] = [];
      if (rule.ports !== undefined) words.push("meta l4proto { tcp, udp, sctp }");
      if (rule.draw !== undefined) words.push(`numgen random mod ${rule.draw.outOf} < ${rule.draw.chosen}`);
      words.push("counter masquerade");
      if (rule.ports !== undefined) words.push(`to :${formatPortRange(rule.ports)}`);
      if (rule.randomFully) words.push("fully-random");
      return words.join(" ");
    }
  }
}

/** `10.0.0.0/8` where the range is one prefix, else `10.0.0.1-10.0.0.9`. */
export function renderRange(family: Family, { first, last }: AddressRange): string {
  const size = last - first + 1n;
  const aligned = (size & (size - 1n)) === 0n && first % size === 0n;
  if (!aligned) return `${formatAddress(family, first)}-${formatAddress(family, last)}`;
  const bits = family === "IPv4" ? 32 : 128;
  return formatPrefix({ family, first, length: bits - (size.toString(2).length - 1) });
}

function inLines(words: readonly string[]): string {
  const lines: string[] = [];
  for (let from = 0; from < words.length; from += elementsPerLine) {
    lines.push(words.slice(from, from + elementsPerLine).join(", "));
  }
  return lines.join(",\n      ");
}
