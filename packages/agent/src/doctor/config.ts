import {
  type FamilyPolicy,
  type Finding,
  firstFindings,
  formatFinding,
  formatPrefix,
  isEverything,
  type Prefix,
  prefixSet,
  subtract,
} from "@ip-masq-agent/core";
import { type Desired, interpret } from "../desired.ts";
import { configPlace, snapshotNow } from "../sources/now.ts";
import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";
import { few, type Grouped } from "./few.ts";
import { podRanges } from "./pod-ranges.ts";

/** The config: valid, what it warns of, all exempt, and pods that would be masqueraded on their way to other pods. */
export const config: Check = {
  name: "config",
  async look(node) {
    const snapshot = await snapshotNow(node.options);
    const { desired, findings } = interpret(snapshot, node.options);
    const { shown, more } = firstFindings(findings);
    const told = shown.map((finding) =>
      trouble(
        finding.severity,
        "config",
        // Without the remedy, which is told by itself.
        formatFinding(finding).slice(0, -`; ${finding.remedy}`.length),
        whyOf(finding),
        finding.remedy,
      ),
    );
    if (more > 0) told.push(note("info", "config", `${more} more findings; ip-masq-agent validate shows them`));
    if (desired === undefined) return told;
    const files =
      snapshot.sources.map(({ file }) => file).join(", ") ||
      `${configPlace(node.options)} does not exist: the defaults`;
    return [
      note("ok", "config", `valid: ${files}`),
      ...told,
      ...allExempt(desired),
      ...(await pods(node, desired).catch(unknownPods)),
    ];
  },
};

const missing: ReadonlySet<string> = new Set(["no-config", "no-config-file", "no-config-map"]);

function whyOf({ severity, code }: Finding): string {
  if (missing.has(code)) {
    return severity === "error"
      ? "an agent that starts now waits for it, and leaves the kernel as it is"
      : "the config that is meant for this node is not there";
  }
  return severity === "error"
    ? "an agent that starts now leaves the kernel as it is; one that runs keeps the last good config"
    : "the agent takes the config, but perhaps not as it was meant";
}

function allExempt({ policy }: Desired): readonly Diagnosis[] {
  return [policy.IPv4, policy.IPv6].flatMap((own) =>
    own !== undefined && isEverything(own.exempt)
      ? [
          trouble(
            "warning",
            "config",
            `all of ${own.family} is exempt`,
            "nothing is masqueraded: pods reach only what can route back to their addresses, so not the internet",
            "list only ranges that have a route to the pods",
          ),
        ]
      : [],
  );
}

/** What is wrong with the search for pods is no reason to withhold what is wrong with the config. */
function unknownPods(cause: unknown): readonly Diagnosis[] {
  return [note("info", "pod ranges", `not known: ${cause instanceof Error ? cause.message : String(cause)}`)];
}

async function pods(node: Node, { policy }: Desired): Promise<readonly Diagnosis[]> {
  const found = await podRanges(node);
  if (found.length === 0)
    return [note("info", "pod ranges", "none found in CNI's config, on its bridges or in routes")];
  const told = found.flatMap(({ range, source }): readonly Grouped[] => {
    const own = policy[range.family];
    if (own === undefined) return [];
    const diagnosis = podRange(range, source, own);
    return [{ group: `${diagnosis.level} ${source}`, diagnosis }];
  });
  return few(told);
}

function podRange(range: Prefix, source: string, own: FamilyPolicy): Diagnosis {
  const left = subtract(prefixSet(range.family, [range]), own.exempt).prefixes;
  if (left.length === 0) return note("ok", "pod ranges", `${formatPrefix(range)} is exempt (${source})`);
  return trouble(
    "warning",
    "pod ranges",
    `${formatPrefix(range)} is not exempt${left.length === 1 && left[0]?.length === range.length ? "" : " as a whole"} (${source})`,
    "pods see each other with the addresses of nodes: network policies and logs name the wrong sender",
    `add ${formatPrefix(range)}, or the cluster's whole range, to nonMasqueradeCIDRs`,
  );
}
