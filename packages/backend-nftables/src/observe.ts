import {
  BackendError,
  type Counters,
  type Family,
  type FamilyPolicy,
  type Observation,
  prefixSet,
} from "@ip-masq-agent/core";
import { addressType, backendName, chainName, hookPriority, setName, tableName, tableOf } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";
import { asArray, type CountedRule, field, type NftElement, parseElement, parseRule } from "./parse.ts";
import { renderRange } from "./render.ts";
import { policyOf } from "./ruleset.ts";

/** Our table as it is in the kernel; undefined: there is none. */
export interface NftObservation extends Observation {
  readonly table: NftTable | undefined;
}

export interface NftTable {
  /** `dormant` switches every chain off; nft 1.0.6 prints garbage in its place, so any unknown flag is taken for it. */
  readonly flags: readonly string[];
  /** The set `exempt`, and its type and flags in one line where they are not ours. */
  readonly set: { readonly otherShape: string | undefined; readonly elements: readonly NftElement[] } | undefined;
  /** The base chain, and its hook in one line where it is not ours. */
  readonly chain: { readonly otherHook: string | undefined; readonly rules: readonly CountedRule[] } | undefined;
  /** Chains, sets and others that we do not write: `chain foo`. */
  readonly extra: readonly string[];
}

/** Reads our own table and nothing else: an old nft crashes on tables of others that a newer one wrote. */
export async function observeTable(runner: NftRunner, family: Family, signal: AbortSignal): Promise<NftObservation> {
  const text = await runNft(runner, {
    arguments: ["-j", "list", "table", ...tableOf(family).split(" ")],
    operation: "observe",
    family,
    signal,
    absent: /No such file or directory/,
  });
  if (text === undefined) return observationOf(family, undefined);
  try {
    return observationOf(family, tableFrom(family, text));
  } catch (error) {
    if (await isDormant(runner, family, signal)) return observationOf(family, dormantTable);
    throw error;
  }
}

/** What nft 1.0.6 can tell of a dormant table: that it is one. */
const dormantTable: NftTable = { flags: ["dormant"], set: undefined, chain: undefined, extra: [] };

/** nft 1.0.6 prints a table's flags in JSON from memory that is no longer its own: often not even JSON. Text is right. */
async function isDormant(runner: NftRunner, family: Family, signal: AbortSignal): Promise<boolean> {
  const listing = ["--terse", "list", "table", ...tableOf(family).split(" ")];
  const text = await runNft(runner, { arguments: listing, operation: "observe", family, signal });
  return /^\s*flags .*\bdormant\b/m.test(text ?? "");
}

/** The observation that a table amounts to. */
export function observationOf(family: Family, table: NftTable | undefined): NftObservation {
  return {
    family,
    table,
    present: table !== undefined,
    policy: table && readPolicy(family, table),
    counters: countersOf(table),
  };
}

/** Reads the output of `nft -j list table`. Rejects what is not whole: "unreadable" must never look like "empty". */
export function tableFrom(family: Family, text: string): NftTable {
  const objects = asArray(field(parseJson(family, text), "nftables"));
  const named = (kind: string) => objects.map((object) => field(object, kind)).filter((found) => found !== undefined);
  const table = named("table").find((found) => field(found, "name") === tableName);
  if (table === undefined) throw unreadable(family, "the table is not in it", text);
  const isOurs = (name: string) => (found: unknown) => field(found, "name") === name;
  const [sets, chains, rules] = [named("set"), named("chain"), named("rule")];
  const set = sets.find(isOurs(setName));
  const chain = chains.find(isOurs(chainName));
  const others = (kind: string, found: readonly unknown[], ours: unknown) =>
    found.filter((object) => object !== ours).map((object) => `${kind} ${String(field(object, "name"))}`);
  return {
    flags: asArray([field(table, "flags") ?? []].flat()).map(String),
    set:
      set === undefined
        ? undefined
        : {
            otherShape: shapeOf(set) === shapeOf(desiredSet(family)) ? undefined : shapeOf(set),
            elements: asArray(field(set, "elem")).map((element) => parseElement(family, element)),
          },
    chain:
      chain === undefined
        ? undefined
        : {
            otherHook: hookOf(chain) === hookOf(desiredChain) ? undefined : hookOf(chain),
            rules: rules
              .filter((rule) => field(rule, "chain") === chainName)
              .map((rule) => parseRule(family, field(rule, "expr"))),
          },
    extra: [
      ...others("set", sets, set),
      ...others("chain", chains, chain),
      ...[
        "map",
        "flowtable",
        "counter",
        "quota",
        "limit",
        "ct helper",
        "ct timeout",
        "ct expectation",
        "secmark",
        "synproxy",
      ].flatMap((kind) => others(kind, named(kind), undefined)),
    ],
  };
}

const desiredChain = { type: "nat", hook: "postrouting", prio: hookPriority, policy: "accept" };

function desiredSet(family: Family): object {
  return { type: addressType(family), flags: ["interval"] };
}

function shapeOf(set: unknown): string {
  const flags = [field(set, "flags") ?? []].flat().map(String).toSorted();
  const rest = ["auto-merge", "timeout", "gc-interval", "size", "policy", "stmt"].filter(
    (name) => field(set, name) !== undefined,
  );
  return `type ${JSON.stringify(field(set, "type"))}, flags ${[...flags, ...rest].join(" ")}`;
}

function hookOf(chain: unknown): string {
  const [type, hook, priority, policy] = ["type", "hook", "prio", "policy"].map((name) =>
    String(field(chain, name) ?? "none"),
  );
  return `type ${type} hook ${hook} priority ${priority} policy ${policy}`;
}

function readPolicy(family: Family, table: NftTable): FamilyPolicy | undefined {
  const { set, chain } = table;
  if (!set || !chain || set.otherShape || chain.otherHook || !harmlessFlags(table)) return undefined;
  const prefixes = set.elements.flatMap((element) => {
    if ("foreign" in element) return [];
    const text = renderRange(family, element);
    return text.includes("-") ? [] : [{ family, first: element.first, length: Number(text.split("/")[1]) }];
  });
  if (prefixes.length !== set.elements.length) return undefined;
  return policyOf(
    family,
    prefixSet(family, prefixes),
    chain.rules.map(({ rule }) => rule),
  );
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

function parseJson(family: Family, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(family, "it is not JSON", text, cause);
  }
}

function unreadable(family: Family, why: string, text: string, cause?: unknown): BackendError {
  return new BackendError({
    reason: "other",
    backend: backendName,
    operation: "observe",
    family,
    message: `the answer of nft -j list table cannot be read: ${why} (${text.length} characters)`,
    cause,
  });
}
