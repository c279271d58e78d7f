import {
  asBackendError,
  type Backend,
  type BackendError,
  type Family,
  families,
  intersect,
  type Observation,
  type PrefixSet,
  prefixSet,
} from "@ip-masq-agent/core";
import { type BackendName, backendNames, createBackend } from "../backends.ts";
import type { Options } from "../flags/flag.ts";

/** Rules of ours that one backend has in the kernel for one family, or why that cannot be told. */
export type Sighting = { readonly backend: Backend; readonly family: Family } & (
  | { readonly seen: Observation }
  | { readonly error: BackendError }
);

/** Looks for our rules in every backend, whichever is in use: after a switch gone wrong there may be two. */
export async function lookEverywhere(options: Options, signal: AbortSignal): Promise<readonly Sighting[]> {
  const looks = backendNames.flatMap((name) => families.map((family) => look(name, family, options, signal)));
  return (await Promise.all(looks)).flat();
}

async function look(
  name: BackendName,
  family: Family,
  options: Options,
  signal: AbortSignal,
): Promise<readonly Sighting[]> {
  if (!(await mayHoldRules(name, family, signal))) return [];
  const backend = await createBackend(name, { chain: options.masqChain });
  try {
    const seen = await backend.observe(family, signal);
    return seen.present ? [{ backend, family, seen }] : [];
  } catch (cause) {
    const error = asBackendError(cause, name, family);
    // A host without the tool, or a kernel without the table, has no such rules: no matter, unless it was asked for.
    const absent = error.reason === "tool_missing" || error.reason === "unsupported";
    return absent && options.backend !== name ? [] : [{ backend, family, error }];
  }
}

/** Running a legacy tool only to look would load the legacy modules. */
async function mayHoldRules(name: BackendName, family: Family, signal: AbortSignal): Promise<boolean> {
  if (name === "nftables") return true;
  const { iptablesMayHoldRules } = await import("@ip-masq-agent/backend-iptables");
  return iptablesMayHoldRules(name === "iptables-nft" ? "nft" : "legacy", family, signal);
}

/** What the kernel's rules of ours amount to, over all backends, for one family. */
export interface KernelNow {
  readonly family: Family;
  readonly backends: readonly string[];
  /** Destinations that no rule of ours masquerades; undefined: the rules cannot be read as a policy. */
  readonly untouched: PrefixSet | undefined;
  /** Why they cannot, in one line for each backend. */
  readonly unreadable: readonly string[];
}

/** A packet is masqueraded if any backend's rules say so; without any rules, none is. */
export function kernelNow(family: Family, sightings: readonly Sighting[]): KernelNow {
  const own = sightings.filter((sighting) => sighting.family === family);
  let untouched: PrefixSet | undefined = prefixSet(family, [{ family, first: 0n, length: 0 }]);
  const unreadable: string[] = [];
  for (const sighting of own) {
    const policy = "seen" in sighting ? sighting.seen.policy : undefined;
    if (policy === undefined) {
      const why = "error" in sighting ? sighting.error.message : "has rules that are not of the form we write";
      unreadable.push(`${sighting.backend.name}: ${why}`);
      untouched = undefined;
    } else if (untouched !== undefined) untouched = intersect(untouched, policy.exempt);
  }
  return { family, backends: own.map(({ backend }) => backend.name), untouched, unreadable };
}
