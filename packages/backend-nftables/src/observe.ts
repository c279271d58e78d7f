import { setImmediate } from "node:timers/promises";
import {
  type AddressRange,
  BackendError,
  type Counters,
  type Family,
  type FamilyPolicy,
  type Observation,
  setOfRanges,
} from "@ip-masq-agent/core";
import { absentTable } from "./failure.ts";
import { backendName, tableOf } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";
import { type NftTable, parseTable } from "./parse.ts";
import { policyOf } from "./ruleset.ts";

/** Our table as it is in the kernel; undefined: there is none. */
export interface NftObservation extends Observation {
  readonly table: NftTable | undefined;
  /** We own it. */
  readonly held: boolean;
  /** The table that stands in during a takeover is there: one was cut short. */
  readonly bridge: boolean;
}

/** What the kernel alone does not tell of our tables. */
export interface Ownership {
  /** A process of ours has written the table, and lives. */
  holds(family: Family): boolean;
  /** The table of a takeover is there. */
  bridge(family: Family, signal: AbortSignal): Promise<boolean>;
}

/**
 * Reads our own table and nothing else: an old nft crashes on tables of others that a newer one wrote. Output that is
 * not the whole table rejects: "unreadable" must never look like "empty".
 */
export async function observeTable(
  runner: NftRunner,
  family: Family,
  ownership: Ownership,
  signal: AbortSignal,
): Promise<NftObservation> {
  const [text, bridge] = await Promise.all([
    runNft(runner, {
      arguments: ["-j", "list", "table", ...tableOf(family).split(" ")],
      operation: "observe",
      family,
      signal,
      absent: absentTable,
    }),
    ownership.bridge(family, signal),
  ]);
  const ours = { held: ownership.holds(family), bridge };
  if (text === undefined) return observationOf(family, undefined, ours);
  try {
    const observation = observationOf(family, parseTable(family, text), ours);
    // To read a large table takes as long as to compare it: others have their turn in between.
    if (text.length > largeText) await setImmediate();
    return observation;
  } catch (cause) {
    if (await isDormant(runner, family, signal)) return observationOf(family, dormantTable, ours);
    throw new BackendError({
      reason: "other",
      backend: backendName,
      operation: "observe",
      family,
      message: `the answer of nft -j list table cannot be read (${text.length} characters): ${String(cause)}`,
      cause,
    });
  }
}

/** Of so many characters, some 20,000 elements, it takes tens of milliseconds to make anything. */
const largeText = 1_000_000;

/** What nft 1.0.6 can tell of a dormant table: that it is one. */
const dormantTable: NftTable = { flags: ["dormant"], set: undefined, chain: undefined, extra: [] };

/** nft 1.0.6 prints a table's flags in JSON from memory that is no longer its own: often not even JSON. Text is right. */
async function isDormant(runner: NftRunner, family: Family, signal: AbortSignal): Promise<boolean> {
  const listing = ["--terse", "list", "table", ...tableOf(family).split(" ")];
  const text = await runNft(runner, { arguments: listing, operation: "observe", family, signal });
  return /^\s*flags .*\bdormant\b/m.test(text ?? "");
}

/** The observation that a table amounts to. */
export function observationOf(
  family: Family,
  table: NftTable | undefined,
  ours: { readonly held: boolean; readonly bridge: boolean } = { held: false, bridge: false },
): NftObservation {
  return {
    family,
    table,
    held: ours.held && table?.flags.includes("owner") === true,
    bridge: ours.bridge,
    present: table !== undefined || ours.bridge,
    // Made when asked for: the loop never asks, and a set of 100,000 takes longer to merge than to compare.
    get policy() {
      return table && readPolicy(family, table);
    },
    counters: countersOf(table),
  };
}

function readPolicy(family: Family, table: NftTable): FamilyPolicy | undefined {
  const { set, chain } = table;
  if (!set || !chain || set.otherShape || chain.otherHook || !harmlessFlags(table)) return undefined;
  const ranges = set.elements.filter((element): element is AddressRange => !("foreign" in element));
  if (ranges.length !== set.elements.length) return undefined;
  const rules = chain.rules.map(({ rule }) => rule);
  return policyOf(family, setOfRanges(family, ranges), rules);
}

/** `owner` and `persist` say who may change the table, not what it does. */
export function harmlessFlags(table: NftTable): boolean {
  return table.flags.every((flag) => flag === "owner" || flag === "persist");
}

function countersOf(table: NftTable | undefined): Counters {
  const counters = { exemptPackets: 0, masqueradedPackets: 0, masqueradedBytes: 0 };
  for (const { rule, packets, bytes } of table?.chain?.rules ?? []) {
    if (rule.kind === "exempt") counters.exemptPackets += packets;
    if (rule.kind !== "masquerade") continue;
    counters.masqueradedPackets += packets;
    counters.masqueradedBytes += bytes;
  }
  return counters;
}
