import {
  type AddressRange,
  type Family,
  formatAddress,
  formatPortRange,
  formatPrefix,
  type Prefix,
} from "@ip-masq-agent/core";
import {
  addressType,
  bridgeTableOf,
  chainName,
  hookPriority,
  nftFamily,
  ownerFlags,
  setName,
  tableOf,
} from "./names.ts";
import type { NftRule, NftRuleset } from "./ruleset.ts";

/** Elements on one line of text: nft reads lines of any length, people do not. */
const elementsPerLine = 8;

/** Stands between two transactions of one text: an empty line, which nft passes over. */
export const transactionEnd = "\n\n";

/**
 * The whole table in one transaction. `add` makes `delete` succeed on a fresh node; only deleting can change a set's
 * flags or a chain's hook (`add` with others returns 0 and changes nothing). Byte-stable for equal rulesets.
 *
 * For a table that decides already: a packet that meets the new chain before the new set can be seen (kernel 6.18:
 * 0.05 ms) is masqueraded, exempt or not; any other way, the table would be gone for ten.
 */
export function renderWhole({ family, exempt, rules, protect }: NftRuleset, flags: string = ownFlags(protect)): string {
  const blocks = [...setBlock(family, exempt.prefixes), ...chainBlock(family, rules)];
  return `${renderEmpty(family, flags)}${renderTable(family, blocks, ownFlags(protect))}`;
}

/**
 * The whole table in two transactions, the set's first, which decides nothing: for a node where no table of ours
 * decides yet, but perhaps the rules of another backend do.
 */
export function renderFresh({ family, exempt, rules, protect }: NftRuleset, flags: string = ownFlags(protect)): string {
  const own = ownFlags(protect);
  const set = `${renderEmpty(family, flags)}${renderTable(family, setBlock(family, exempt.prefixes), own)}`;
  return `${set}\n${renderTable(family, chainBlock(family, rules), own)}`;
}

/** The flags of a table of ours; none where it is not protected. */
export function ownFlags(protect: boolean): string {
  return protect ? ownerFlags : "";
}

/**
 * A table of ours that belongs to nobody becomes one that we own. The kernel cannot change that in place, so for the
 * moment without it a second table decides in its stead: at no time is there none, or one whose set is not filled yet.
 */
export function renderTakeover({ family, exempt, rules }: NftRuleset): string {
  const bridge = bridgeTableOf(family);
  return [
    `${renderGone(bridge)}${renderBlocks(bridge, setBlock(family, exempt.prefixes))}`,
    renderBlocks(bridge, chainBlock(family, rules)),
    renderGone(tableOf(family)),
    renderTable(family, setBlock(family, exempt.prefixes), ownerFlags),
    renderTable(family, chainBlock(family, rules), ownerFlags),
    renderGone(bridge),
  ].join("\n");
}

/** The table that an earlier owner left behind becomes ours as it stands. */
export function renderAdoption(family: Family): string {
  return `add table ${tableOf(family)} { flags ${ownerFlags}; }\n`;
}

/** What a takeover that was cut short left. */
export function renderBridgeGone(family: Family): string {
  return renderGone(bridgeTableOf(family));
}

/**
 * `flags`: those that the table has now. One with flags refuses an `add` without them, and `destroy` is as old as they
 * are.
 */
function renderEmpty(family: Family, flags: string): string {
  return flags === "" ? `add table ${tableOf(family)}\ndelete table ${tableOf(family)}\n` : renderGone(tableOf(family));
}

function renderGone(table: string): string {
  return `destroy table ${table}\n`;
}

function renderTable(family: Family, blocks: readonly string[], flags: string): string {
  return renderBlocks(tableOf(family), flags === "" ? blocks : [`  flags ${flags}`, ...blocks]);
}

function renderBlocks(table: string, blocks: readonly string[]): string {
  return [`table ${table} {`, ...blocks, "}", ""].join("\n");
}

function setBlock(family: Family, prefixes: readonly Prefix[]): readonly string[] {
  return [
    `  set ${setName} {`,
    `    type ${addressType(family)}`,
    "    flags interval",
    ...(prefixes.length === 0 ? [] : [`    elements = { ${inLines(prefixes.map(formatPrefix))} }`]),
    "  }",
  ];
}

function chainBlock(family: Family, rules: readonly NftRule[]): readonly string[] {
  return [
    `  chain ${chainName} {`,
    `    type nat hook postrouting priority ${hookPriority}; policy accept;`,
    ...rules.map((rule) => `    ${renderRule(family, rule)}`),
    "  }",
  ];
}

/** What changes inside a table whose chain and set stay where they are. One transaction. */
export interface NftEdits {
  /** Absent: they stay. */
  readonly elements?: NftElementEdits;
  /** All rules of the chain, in order; absent: they stay. */
  readonly rules?: readonly NftRule[];
}

/** All elements at once, or only those that differ. */
export type NftElementEdits =
  | { readonly kind: "refill"; readonly all: readonly Prefix[] }
  | { readonly kind: "difference"; readonly remove: readonly AddressRange[]; readonly add: readonly Prefix[] };

/** `flags`: those that the table has, which every mention of it must repeat. */
export function renderEdits(family: Family, { elements, rules }: NftEdits, flags = ""): string {
  const set = `${tableOf(family)} ${setName}`;
  const chain = `${tableOf(family)} ${chainName}`;
  const statements: string[] = [];
  if (elements?.kind === "refill") {
    // Declared anew, not `add element`: for that, nft up to 1.1.7 first reads the elements of every set on the node.
    statements.push(`flush set ${set}\n`, renderTable(family, setBlock(family, elements.all), flags));
  } else if (elements?.kind === "difference") {
    const remove = elements.remove.map((range) => renderRange(family, range));
    // A new element may overlap an old one: those go first.
    if (remove.length > 0) statements.push(`delete element ${set} { ${inLines(remove)} }\n`);
    if (elements.add.length > 0) statements.push(`add element ${set} { ${inLines(elements.add.map(formatPrefix))} }\n`);
  }
  if (rules !== undefined) {
    statements.push(
      `flush chain ${chain}\n`,
      ...rules.map((rule) => `add rule ${chain} ${renderRule(family, rule)}\n`),
    );
  }
  return statements.join("");
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
