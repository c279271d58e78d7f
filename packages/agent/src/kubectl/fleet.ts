import type { KubeConfig } from "@kubernetes/client-node";
import { type Api, createApi } from "../kubernetes/api.ts";
import { ApiError } from "../kubernetes/api-error.ts";
import { credentialsOf } from "../kubernetes/credentials.ts";
import { recordOf } from "../kubernetes/object.ts";
import { execInPod, type PodAnswer } from "./exec.ts";

/** A node, and the agent's pod on it; no pod: nothing keeps its rules. */
export interface Place {
  readonly node: string;
  readonly pod?: string;
  /** Why the pod cannot be asked, as far as the API knows. */
  readonly trouble?: string;
}

/** A pod whose packets are asked after. */
export interface Sender {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly addresses: readonly string[];
  readonly hostNetwork: boolean;
}

export interface FleetOptions {
  readonly config: KubeConfig;
  readonly namespace: string;
  /** `k8s-app=ip-masq-agent` */
  readonly selector: string;
  readonly timeoutMs: number;
}

/** All agents of a cluster, through the API server, by the user's own rights. Rejects with `ApiError`. */
export interface Fleet {
  /** By name. `incomplete`: why nodes without an agent cannot be told. */
  places(): Promise<{ readonly places: readonly Place[]; readonly incomplete?: string }>;
  /** One node's; undefined: there is no such node. */
  place(node: string): Promise<Place | undefined>;
  sender(namespace: string, name: string): Promise<Sender>;
  /** Runs the agent's program in the agent's pod. */
  ask(place: Place, words: readonly string[]): Promise<PodAnswer>;
}

const container = "ip-masq-agent";
/** Objects of a page: some MB of nodes, which carry lists of images. */
const pageSize = "100";

export function openFleet({ config, namespace, selector, timeoutMs }: FleetOptions): Fleet {
  const api = createApi(async () => credentialsOf(config));
  const signal = new AbortController().signal;

  /** The agents' places, of all nodes or of one. */
  async function agents(fields: Readonly<Record<string, string>>): Promise<Map<string, Place>> {
    const asked = { verb: "list", resource: "pods", namespace } as const;
    const query = { labelSelector: selector, ...fields };
    const pods = (await list(api, asked, `/api/v1/namespaces/${namespace}/pods`, query, signal)).map(placeOf);
    // Of two pods on a node the one that runs is asked: the other is on its way in or out.
    const byNode = new Map<string, Place>();
    for (const place of pods) {
      if (byNode.get(place.node)?.trouble !== undefined || !byNode.has(place.node)) byNode.set(place.node, place);
    }
    byNode.delete("");
    return byNode;
  }

  async function places(): Promise<{ readonly places: readonly Place[]; readonly incomplete?: string }> {
    const byNode = await agents({});
    try {
      const nodes = { verb: "list", resource: "nodes" } as const;
      for (const node of await list(api, nodes, "/api/v1/nodes", { labelSelector: "kubernetes.io/os=linux" }, signal)) {
        const name = nameOf(node);
        if (!byNode.has(name)) byNode.set(name, { node: name, trouble: "no agent runs there" });
      }
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      return { places: sorted(byNode), incomplete: cause.message };
    }
    return { places: sorted(byNode) };
  }

  return {
    places,
    async place(node) {
      const found = (await agents({ fieldSelector: `spec.nodeName=${node}` })).get(node);
      if (found !== undefined) return found;
      try {
        const nodes = { verb: "list", resource: "nodes" } as const;
        const fieldSelector = `metadata.name=${node}`;
        if ((await list(api, nodes, "/api/v1/nodes", { fieldSelector }, signal)).length === 0) return undefined;
      } catch (cause) {
        if (!(cause instanceof ApiError)) throw cause;
      }
      return { node, trouble: "no agent runs there" };
    },
    async sender(senderNamespace, name) {
      const asked = { verb: "get", resource: "pods", namespace: senderNamespace } as const;
      const path = `/api/v1/namespaces/${senderNamespace}/pods/${encodeURIComponent(name)}`;
      const pod = recordOf(await api.call({ asked, path, signal }));
      const { nodeName, hostNetwork } = recordOf(pod["spec"]);
      const { podIPs, podIP } = recordOf(pod["status"]);
      const listed: readonly unknown[] = Array.isArray(podIPs) ? podIPs.map((one) => recordOf(one)["ip"]) : [podIP];
      return {
        ...{ namespace: senderNamespace, name, node: typeof nodeName === "string" ? nodeName : "" },
        addresses: listed.filter((one): one is string => typeof one === "string"),
        hostNetwork: hostNetwork === true,
      };
    },
    ask({ pod, trouble }, words) {
      if (pod === undefined) return Promise.reject(new Error(trouble ?? "no agent runs there"));
      const command = ["ip-masq-agent", ...words];
      return execInPod(config, { namespace, pod, container, command, timeoutMs });
    },
  };
}

async function list(
  api: Api,
  asked: Parameters<Api["call"]>[0]["asked"],
  path: string,
  selectors: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (let more = ""; ; ) {
    const query = { ...selectors, limit: pageSize, ...(more !== "" && { continue: more }) };
    const page = recordOf(await api.call({ asked, path, query, signal }));
    if (Array.isArray(page["items"])) found.push(...page["items"]);
    const next = recordOf(page["metadata"])["continue"];
    if (typeof next !== "string" || next === "") return found;
    more = next;
  }
}

function placeOf(pod: unknown): Place {
  const { nodeName } = recordOf(recordOf(pod)["spec"]);
  const { phase, reason } = recordOf(recordOf(pod)["status"]);
  const node = typeof nodeName === "string" ? nodeName : "";
  const leaving = recordOf(recordOf(pod)["metadata"])["deletionTimestamp"] !== undefined;
  if (phase === "Running" && !leaving) return { node, pod: nameOf(pod) };
  const state = leaving ? "being deleted" : `${String(phase)}${typeof reason === "string" ? ` (${reason})` : ""}`;
  return { node, trouble: `its pod ${nameOf(pod)} is ${state}` };
}

function nameOf(object: unknown): string {
  return String(recordOf(recordOf(object)["metadata"])["name"] ?? "");
}

function sorted(places: ReadonlyMap<string, Place>): readonly Place[] {
  return [...places.values()].toSorted((a, b) => a.node.localeCompare(b.node, "en", { numeric: true }));
}
