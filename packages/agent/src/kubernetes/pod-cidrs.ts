import { type ExemptEntry, parsePrefix } from "@ip-masq-agent/core";
import { SourceError } from "../sources/read.ts";
import { type Snapshot, snapshotOf } from "../sources/snapshot.ts";
import { recordOf } from "./object.ts";
import type { Watched } from "./watch-object.ts";

export function watchedNode(name: string): Watched {
  return { collection: "/api/v1/nodes", resource: "nodes", name };
}

/** A config, and what the node's own pods have for addresses besides. */
export function withPodCidrs(config: Snapshot, name: string, node: unknown): Snapshot {
  const file = `node ${name}`;
  if (node === undefined || node === null) {
    const remedy = "set NODE_NAME or --node-name to the node's name, as kubectl get nodes shows it";
    const finding = { severity: "error", code: "no-node", file, reason: "does not exist", remedy } as const;
    return snapshotOf(new SourceError(finding));
  }
  const entries = podCidrsOf(name, node);
  const none = {
    ...({ severity: "warning", code: "no-pod-cidrs", file, key: "spec.podCIDRs" } as const),
    reason: "is empty, so nothing of this node is added to the exempt ranges",
    remedy: "list the pods' ranges in the config, or have the controller manager allocate node CIDRs",
  };
  const findings = [...(config.added?.findings ?? []), ...(entries.length === 0 ? [none] : [])];
  const added = { entries, findings };
  return { ...config, key: `${config.key} ${JSON.stringify(podCidrEssence(node))}`, added };
}

/** The ranges that a Node object gives its pods (spec.podCIDRs; spec.podCIDR before Kubernetes 1.16). */
function podCidrsOf(name: string, node: unknown): readonly ExemptEntry[] {
  const { podCIDRs, podCIDR } = recordOf(recordOf(node)["spec"]);
  const texts: readonly unknown[] = Array.isArray(podCIDRs) ? podCIDRs : [podCIDR];
  return texts.flatMap((text): readonly ExemptEntry[] => {
    if (typeof text !== "string") return [];
    const prefix = parsePrefix(text);
    return "code" in prefix ? [] : [{ prefix, file: `node ${name}, spec.podCIDRs` }];
  });
}

/** The part of a Node object that is worth keeping. */
export function podCidrEssence(node: unknown): unknown {
  const { podCIDRs, podCIDR } = recordOf(recordOf(node)["spec"]);
  return { spec: { podCIDRs, podCIDR } };
}
