import { intersect, type PrefixSet, subtract } from "../address/prefix-set.ts";

/** A range of destinations, divided by what happens to packets for them. The three parts are disjoint. */
export interface Division {
  /** The node's own addresses: left alone. */
  readonly local: PrefixSet;
  readonly exempt: PrefixSet;
  readonly masquerade: PrefixSet;
}

/** Divides destinations in the order of the rules: local, exempt, all else. All sets are of one family. */
export function divide(destinations: PrefixSet, local: PrefixSet, exempt: PrefixSet): Division {
  const beyond = subtract(destinations, local);
  return {
    local: intersect(destinations, local),
    exempt: intersect(beyond, exempt),
    masquerade: subtract(beyond, exempt),
  };
}
