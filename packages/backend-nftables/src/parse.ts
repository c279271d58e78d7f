import { type AddressRange, type Family, lastOf, readAddress, readPrefix } from "@ip-masq-agent/core";
import { addressType, chainName, hookPriority, nftFamily, setName, tableName } from "./names.ts";
import type { NftRule } from "./ruleset.ts";

/** Our table as nft tells of it. */
export interface NftTable {
  /** `dormant` switches every chain off. */
  readonly flags: readonly string[];
  /** The set `exempt`, and its type and flags in one line where they are not ours. */
  readonly set: { readonly otherShape: string | undefined; readonly elements: readonly NftElement[] } | undefined;
  /** The base chain, and its hook in one line where it is not ours. */
  readonly chain: { readonly otherHook: string | undefined; readonly rules: readonly CountedRule[] } | undefined;
  /** Chains, sets and others that we do not write: `chain foo`. */
  readonly extra: readonly string[];
}

/** One element of the set: an address range, or the JSON text of what is none (a timeout, a comment, a concatenation). */
export type NftElement = AddressRange | { readonly foreign: string };

/** A rule with what its counter says; `exempt` and `masquerade` rules without a counter are foreign. */
export interface CountedRule {
  readonly rule: NftRule;
  readonly packets: number;
  readonly bytes: number;
}

/**
 * Reads the output of `nft -j list table`, of 1.0.6 to 1.1.7. Flags are a word or a list of words, as the version has
 * it. Throws `SyntaxError` where the text is not the whole of our table.
 */
export function parseTable(family: Family, text: string): NftTable {
  const objects = asArray(field(JSON.parse(text), "nftables")).flatMap((object) => Object.entries(object ?? {}));
  const named = (kind: string, name: string) =>
    objects.find(([is, object]) => is === kind && hasName(object, name))?.[1];
  const table: unknown = named("table", tableName);
  if (table === undefined) throw new SyntaxError(`no table ${tableName} among ${objects.length} objects`);
  const set: unknown = named("set", setName);
  const chain: unknown = named("chain", chainName);
  const ours = new Set([table, set, chain]);
  return {
    flags: asList(field(table, "flags")).map(String),
    set: set === undefined ? undefined : parseSet(family, set),
    chain:
      chain === undefined
        ? undefined
        : {
            otherHook: hookOf(chain) === desiredHook ? undefined : hookOf(chain),
            rules: objects
              .filter(([kind, object]) => kind === "rule" && field(object, "chain") === chainName)
              .map(([, rule]) => parseRule(family, field(rule, "expr"))),
          },
    // Whatever kinds of objects nft will know one day; the rules of an extra chain count with it.
    extra: objects
      .filter(([kind, object]) => kind !== "metainfo" && kind !== "rule" && !ours.has(object))
      .map(([kind, object]) => `${kind} ${String(field(object, "name"))}`),
  };
}

const desiredHook = `type nat hook postrouting priority ${hookPriority} policy accept`;

function hookOf(chain: unknown): string {
  const [type, hook, priority, policy] = ["type", "hook", "prio", "policy"].map((name) =>
    String(field(chain, name) ?? "none"),
  );
  return `type ${type} hook ${hook} priority ${priority} policy ${policy}`;
}

function parseSet(family: Family, set: unknown): NonNullable<NftTable["set"]> {
  const options = ["auto-merge", "timeout", "gc-interval", "size", "policy", "stmt"];
  const words = [...asList(field(set, "flags")), ...options.filter((name) => field(set, name) !== undefined)];
  const shape = `type ${JSON.stringify(field(set, "type"))} flags ${words.join(",")}`;
  return {
    otherShape: shape === `type "${addressType(family)}" flags interval` ? undefined : shape,
    elements: asArray(field(set, "elem")).map((element) => parseElement(family, element)),
  };
}

/**
 * The element as `nft -j` prints it in any version: `"10.0.0.1"`, `{"prefix": {"addr", "len"}}`,
 * `{"range": [first, last]}`; with a comment or timeout wrapped into `{"elem": …}`, which is foreign.
 */
export function parseElement(family: Family, json: unknown): NftElement {
  if (typeof json === "string") return rangeOf(family, json) ?? { foreign: json };
  const prefix = field(json, "prefix");
  const [first, last] = asArray(field(json, "range"));
  const range =
    prefix !== undefined
      ? rangeOf(family, `${String(field(prefix, "addr"))}/${String(field(prefix, "len"))}`)
      : betweenOf(family, first, last);
  return range ?? { foreign: JSON.stringify(json) };
}

/** One rule's `expr` list as a value. */
export function parseRule(family: Family, expressions: unknown): CountedRule {
  const all = asArray(expressions);
  const counter = all.map((expression) => field(expression, "counter")).find((found) => found !== undefined);
  const rule = readRule(family, all) ?? { kind: "foreign" as const, expression: withoutCounts(all) };
  return { rule, packets: asNumber(field(counter, "packets")), bytes: asNumber(field(counter, "bytes")) };
}

function readRule(family: Family, all: readonly unknown[]): NftRule | undefined {
  const rest = [...all];
  const take = (matches: (expression: unknown) => boolean): unknown => (matches(rest[0]) ? rest.shift() : undefined);
  if (take(isLocal)) {
    return rest.length === 1 && isReturn(rest[0]) ? { kind: "local" } : undefined;
  }
  const daddr = { payload: { protocol: nftFamily(family), field: "daddr" } };
  if (take((found) => isMatch(found, "==", daddr, `@${setName}`))) {
    return rest.length === 2 && isCounter(rest[0]) && isReturn(rest[1]) ? { kind: "exempt" } : undefined;
  }
  const governed = take(isPortProtocols) !== undefined;
  const draw = readDraw(rest[0]);
  if (draw !== undefined) rest.shift();
  if (rest.length !== 2 || !isCounter(rest[0])) return undefined;
  const masquerade = field(rest[1], "masquerade");
  if (masquerade === undefined) return undefined;
  const ports = readPorts(field(masquerade, "port"));
  const flags = asList(field(masquerade, "flags"));
  const known =
    flags.every((flag) => flag === "fully-random") && ports !== "unreadable" && field(masquerade, "addr") === undefined;
  if (!known || governed !== (ports !== undefined) || (draw && !ports)) return undefined;
  return { kind: "masquerade", randomFully: flags.length > 0, ...(ports && { ports }), ...(draw && { draw }) };
}

function readDraw(expression: unknown): { chosen: number; outOf: number } | undefined {
  const match = field(expression, "match");
  const numgen = field(field(match, "left"), "numgen");
  const [outOf, chosen] = [field(numgen, "mod"), field(match, "right")];
  const plain =
    field(match, "op") === "<" && field(numgen, "mode") === "random" && (field(numgen, "offset") ?? 0) === 0;
  return plain && typeof outOf === "number" && typeof chosen === "number" ? { chosen, outOf } : undefined;
}

function readPorts(port: unknown): { first: number; last: number } | undefined | "unreadable" {
  if (port === undefined) return undefined;
  const [first, last] = typeof port === "number" ? [port, port] : asArray(field(port, "range"));
  return typeof first === "number" && typeof last === "number" ? { first, last } : "unreadable";
}

function isLocal(expression: unknown): boolean {
  const fib = field(field(field(expression, "match"), "left"), "fib");
  const kind = `${field(fib, "result")} ${asList(field(fib, "flags")).join()}`;
  return kind === "type daddr" && isMatch(expression, "==", { fib }, "local");
}

function isPortProtocols(expression: unknown): boolean {
  const right = field(field(expression, "match"), "right");
  const protocols = asArray(field(right, "set")).map((name) => protocolNames.get(name) ?? name);
  return (
    isMatch(expression, "==", { meta: { key: "l4proto" } }, right) && protocols.toSorted().join() === "sctp,tcp,udp"
  );
}

/** In an image without /etc/protocols (package netbase) nft prints numbers. */
const protocolNames: ReadonlyMap<unknown, string> = new Map([
  [6, "tcp"],
  [17, "udp"],
  [132, "sctp"],
]);

function isMatch(expression: unknown, op: string, left: unknown, right: unknown): boolean {
  const match = field(expression, "match");
  return (
    field(match, "op") === op &&
    JSON.stringify(field(match, "left")) === JSON.stringify(left) &&
    JSON.stringify(field(match, "right")) === JSON.stringify(right)
  );
}

function isCounter(expression: unknown): boolean {
  return field(expression, "counter") !== undefined;
}

function isReturn(expression: unknown): boolean {
  return field(expression, "return") === null;
}

/** Counts change with every packet; a foreign rule's text must not. */
function withoutCounts(expressions: readonly unknown[]): string {
  return JSON.stringify(expressions.map((expression) => (isCounter(expression) ? { counter: null } : expression)));
}

function rangeOf(family: Family, text: string): AddressRange | undefined {
  const prefix = readPrefix(family, text);
  return prefix && { first: prefix.first, last: lastOf(prefix) };
}

function betweenOf(family: Family, first: unknown, last: unknown): AddressRange | undefined {
  const [from, to] = [first, last].map((text) => (typeof text === "string" ? readAddress(family, text) : undefined));
  return from === undefined || to === undefined ? undefined : { first: from, last: to };
}

/** A member of a JSON object; undefined for anything that is no object or has none. */
function field(json: unknown, name: string): unknown {
  return typeof json === "object" && json !== null && Object.hasOwn(json, name)
    ? (json as Record<string, unknown>)[name]
    : undefined;
}

function hasName(json: unknown, name: string): boolean {
  return field(json, "name") === name;
}

function asArray(json: unknown): readonly unknown[] {
  return Array.isArray(json) ? json : [];
}

/** Nothing, one or several of something that nft prints as a list only where there are several, or always. */
function asList(json: unknown): readonly unknown[] {
  return [json ?? []].flat();
}

function asNumber(json: unknown): number {
  return typeof json === "number" ? json : 0;
}
