import type { Diagnosis } from "./diagnosis.ts";

/** A finding, and what it is one of many of. */
export interface Grouped {
  readonly group: string;
  readonly diagnosis: Diagnosis;
}

/** A CNI plugin writes two rules for each of a hundred pods: two show what it is, and a number says the rest. */
const most = 2;

/** In the order given, the first of every group; the last that is shown says how many there are besides. */
export function few(found: readonly Grouped[]): readonly Diagnosis[] {
  const groups = Map.groupBy(found, ({ group }) => group);
  return [...groups.values()].flatMap((members) => {
    const left = members.length - most;
    return members
      .slice(0, most)
      .map(({ diagnosis }, at) =>
        left > 0 && at === most - 1
          ? { ...diagnosis, what: `${diagnosis.what} (and ${left} more like it)` }
          : diagnosis,
      );
  });
}
