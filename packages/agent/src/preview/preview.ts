import {
  type Difference,
  type Family,
  families,
  formatSet,
  type Plan,
  type Policy,
  prefixSet,
  subtract,
} from "@ip-masq-agent/core";
import type { Choice } from "../choose.ts";
import { type KernelNow, kernelNow, type Sighting } from "../kernel/now.ts";

/** What the agent would do to one family's rules. */
export interface FamilyPreview {
  readonly family: Family;
  /** The family is off: what is there of ours would be removed. */
  readonly off: boolean;
  readonly summary: string;
  readonly differences: readonly Difference[];
  /** The tool and its arguments, and what it is given; empty: nothing to write. */
  readonly command: string;
  readonly transaction: string;
  /** Backends whose rules would be removed afterwards. */
  readonly removes: readonly string[];
  readonly ranges: RangeChanges;
}

/** Destinations that change sides, as the fewest prefixes. */
export interface RangeChanges {
  readonly becomeMasqueraded: readonly string[];
  readonly becomeExempt: readonly string[];
  /** Why this cannot be told: the kernel's rules are not of our form. */
  readonly unknown: readonly string[];
}

export interface Preview {
  readonly backend: string;
  readonly why: string;
  readonly families: readonly FamilyPreview[];
}

/** Compares what the agent would put in force with what is. Reads the kernel, writes nothing. */
export async function previewOf(
  policy: Policy,
  choice: Choice,
  sightings: readonly Sighting[],
  signal: AbortSignal,
): Promise<Preview> {
  const previews = families.map(async (family): Promise<FamilyPreview> => {
    const own = policy[family];
    const others = sightings.filter((sighting) => sighting.family === family);
    const foreign = others
      .filter(({ backend }) => backend.name !== choice.backend.name)
      .map(({ backend }) => backend.name);
    const now = kernelNow(family, sightings);
    if (own === undefined) {
      const removes = others.map(({ backend }) => backend.name);
      return { family, off: true, ...nothing, removes, ranges: rangesOf(undefined, now) };
    }
    const seen = await choice.backend.observe(family, signal);
    const plan = choice.backend.plan(choice.backend.render(own, choice.capabilities), seen);
    return {
      family,
      off: false,
      summary: plan.summary,
      differences: plan.differences,
      command: commandOf(choice.backend.name, plan),
      transaction: plan.transaction,
      removes: foreign,
      ranges: rangesOf(own.exempt, now),
    };
  });
  return { backend: choice.backend.name, why: choice.why, families: await Promise.all(previews) };
}

const nothing = { summary: "", differences: [], command: "", transaction: "" } as const;

/** Anything would be written or removed. */
export function hasChanges({ families: all }: Preview): boolean {
  return all.some(({ transaction, removes }) => transaction !== "" || removes.length > 0);
}

function rangesOf(exempt: Parameters<typeof subtract>[0] | undefined, now: KernelNow): RangeChanges {
  if (now.untouched === undefined) return { becomeMasqueraded: [], becomeExempt: [], unknown: now.unreadable };
  const untouched = exempt ?? prefixSet(now.family, [{ family: now.family, first: 0n, length: 0 }]);
  return {
    becomeMasqueraded: formatSet(subtract(now.untouched, untouched)),
    becomeExempt: formatSet(subtract(untouched, now.untouched)),
    unknown: [],
  };
}

function commandOf(backend: string, { family }: Plan): string {
  if (backend === "nftables") return "nft -f -";
  const tool = family === "IPv4" ? backend : backend.replace("iptables", "ip6tables");
  return `${tool}-restore --noflush`;
}
