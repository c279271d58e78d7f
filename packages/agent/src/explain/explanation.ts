import {
  type AddressRange,
  type Config,
  contains,
  type Division,
  divide,
  type ExemptEntry,
  type Family,
  formatAddress,
  formatPrefix,
  formatSet,
  intersect,
  lastOf,
  linkLocal,
  type Policy,
  type Prefix,
  type PrefixSet,
  portProtocols,
  prefixSet,
  rangesOf,
  subtract,
} from "@ip-masq-agent/core";
import type { KernelNow } from "../kernel/now.ts";
import type { WayOut } from "../kernel/route.ts";

/** What the rules do with a packet. `untouched`: its family is off, so no rule of ours looks at it. */
export type Verdict = "local" | "exempt" | "masqueraded" | "untouched";

/** Some of the destinations asked after, which all fare alike. */
export interface Part {
  readonly verdict: Verdict;
  readonly prefixes: readonly string[];
  /** The same as ranges, `10.0.0.0-10.1.255.255`, where those are fewer. */
  readonly ranges?: readonly string[];
  /** What makes them exempt: entries of the config, as written. */
  readonly entries: readonly Reason[];
}

export interface Reason {
  readonly prefix: string;
  /** `FILE:LINE`, or what stands behind a range that no file lists. */
  readonly from: string;
}

/** Destinations that the kernel's rules treat otherwise than config and flags ask. */
export interface Contradiction {
  readonly prefixes: readonly string[];
  readonly wanted: "exempt" | "masqueraded";
  readonly kernel: "exempt" | "masqueraded";
}

export interface Explanation {
  readonly destination: string;
  readonly family: Family;
  readonly verdict: Verdict | "mixed";
  readonly parts: readonly Part[];
  /** For one destination that is masqueraded: the way it takes, and the source ports it may get. */
  readonly way?: WayOut;
  readonly ports?: readonly { readonly first: number; readonly last: number }[];
  readonly randomFully?: boolean;
  readonly kernel: {
    readonly backends: readonly string[];
    /** Undefined: the kernel's rules cannot be read as a policy; `unreadable` says why. */
    readonly agrees: boolean | undefined;
    readonly contradictions: readonly Contradiction[];
    readonly unreadable: readonly string[];
  };
  /** Why the agent that runs on this node does not call the rules in force; absent: it does, or none runs. */
  readonly notReady?: string;
}

export interface Question {
  readonly destination: Prefix;
  readonly policy: Policy;
  readonly config: Config;
  /** The node's own addresses. */
  readonly local: PrefixSet;
  readonly kernel: KernelNow;
  readonly protocol: string | undefined;
}

/** What becomes of packets to a destination. Pure: `way` is left for whoever can ask the kernel for routes. */
export function explanationOf({ destination, policy, config, local, kernel, protocol }: Question): Explanation {
  const { family } = destination;
  const asked = prefixSet(family, [destination]);
  const own = policy[family];
  const nothing = prefixSet(family, []);
  // A family that is off has no rules: whatever is not masqueraded by leftovers is as it should be.
  const wanted = divide(asked, local, own?.exempt ?? asked);
  const parts = partsOf(wanted, own === undefined, config, family);
  const found = kernel.untouched && divide(asked, local, kernel.untouched);
  const contradictions: Contradiction[] = [
    contradiction(found ? subtract(found.masquerade, wanted.masquerade) : nothing, "exempt", "masqueraded"),
    contradiction(found ? subtract(wanted.masquerade, found.masquerade) : nothing, "masqueraded", "exempt"),
  ].filter(({ prefixes }) => prefixes.length > 0);
  const governed = protocol === undefined || portProtocols.includes(protocol);
  return {
    destination: isSingle(destination) ? formatPrefix(destination).replace(/\/\d+$/, "") : formatPrefix(destination),
    family,
    verdict: parts.length === 1 ? (parts[0]?.verdict ?? "untouched") : "mixed",
    parts,
    ...(own !== undefined &&
      wanted.masquerade.prefixes.length > 0 && {
        randomFully: own.translation.randomFully,
        ports: governed ? own.translation.ports : [],
      }),
    kernel: {
      backends: kernel.backends,
      agrees: found === undefined ? undefined : contradictions.length === 0,
      contradictions,
      unreadable: kernel.unreadable,
    },
  };
}

export function isSingle(prefix: Prefix): boolean {
  return prefix.first === lastOf(prefix);
}

function partsOf(division: Division, off: boolean, config: Config, family: Family): readonly Part[] {
  const { local, exempt, masquerade } = division;
  return [
    partOf("local", local),
    partOf(off ? "untouched" : "exempt", exempt, off ? [] : reasons(exempt, config, family)),
    partOf("masqueraded", masquerade),
  ].filter(({ prefixes }) => prefixes.length > 0);
}

function partOf(verdict: Verdict, set: PrefixSet, entries: readonly Reason[] = []): Part {
  const ranges = rangesOf(set);
  const text = ({ first, last }: AddressRange) =>
    `${formatAddress(set.family, first)}-${formatAddress(set.family, last)}`;
  return {
    ...{ verdict, prefixes: formatSet(set), entries },
    ...(ranges.length < set.prefixes.length && { ranges: ranges.map(text) }),
  };
}

/** The entries that make these destinations exempt, the longest prefix first: the one that was meant. */
function reasons(exempt: PrefixSet, config: Config, family: Family): readonly Reason[] {
  if (exempt.prefixes.length === 0) return [];
  const masqLinkLocal = family === "IPv4" ? config.masqLinkLocal : config.masqLinkLocalIPv6;
  const key = family === "IPv4" ? "masqLinkLocal" : "masqLinkLocalIPv6";
  const builtIn = masqLinkLocal ? [] : [{ prefix: linkLocal[family], file: `link-local, since ${key} is false` }];
  const entries: readonly ExemptEntry[] = [...config.nonMasqueradeCIDRs, ...builtIn];
  return entries
    .filter(({ prefix }) => prefix.family === family && meets(exempt, prefix))
    .toSorted((a, b) => b.prefix.length - a.prefix.length)
    .map(({ prefix, file, line }) => ({
      prefix: formatPrefix(prefix),
      from: line === undefined ? file : `${file}:${line}`,
    }));
}

function meets(set: PrefixSet, prefix: Prefix): boolean {
  return contains(set, prefix.first) || intersect(set, prefixSet(prefix.family, [prefix])).prefixes.length > 0;
}

function contradiction(
  set: PrefixSet,
  wanted: Contradiction["wanted"],
  kernel: Contradiction["kernel"],
): Contradiction {
  return { prefixes: formatSet(set), wanted, kernel };
}
