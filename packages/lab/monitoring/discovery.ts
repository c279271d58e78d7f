import type { ScrapeConfig } from "./operator.ts";
import { sanitized } from "./operator.ts";

/** What of a DaemonSet its pods' discovery shows. */
export interface DaemonSet {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly containers: readonly Container[] };
    };
  };
}

interface Container {
  readonly name: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[];
}

/** A node where a pod of the DaemonSet runs. */
export interface DiscoveredNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where its agent's port is reached: the test's relay in place of pod address and port. */
  readonly address: string;
}

export function podName({ metadata }: DaemonSet, { name }: DiscoveredNode): string {
  return `${metadata.name}-${name}`;
}

/**
 * The scrape config with targets in place of discovery: the container ports of a DaemonSet's pods, with the __meta_ labels
 * that Prometheus' discovery of the role pod gives them, as far as the namespaces of the discovery reach. `extra`: labels
 * that a remote store would add.
 */
export function discovered(
  { kubernetes_sd_configs: discoveries, ...scrapeConfig }: ScrapeConfig,
  daemonSet: DaemonSet,
  nodes: readonly DiscoveredNode[],
  extra: Readonly<Record<string, string>> = {},
): object {
  const { namespace, name } = daemonSet.metadata;
  const { metadata, spec } = daemonSet.spec.template;
  const reached = discoveries.filter(({ namespaces }) => namespaces.names.includes(namespace));
  const targets = reached.flatMap(({ attach_metadata: attach }) =>
    nodes.flatMap((node) =>
      spec.containers.flatMap((container) =>
        (container.ports ?? []).map((port) => ({
          targets: [node.address],
          labels: {
            __meta_kubernetes_namespace: namespace,
            __meta_kubernetes_pod_name: podName(daemonSet, node),
            __meta_kubernetes_pod_phase: "Running",
            __meta_kubernetes_pod_ready: "true",
            __meta_kubernetes_pod_node_name: node.name,
            __meta_kubernetes_pod_controller_kind: "DaemonSet",
            __meta_kubernetes_pod_controller_name: name,
            __meta_kubernetes_pod_container_name: container.name,
            __meta_kubernetes_pod_container_port_name: port.name ?? "",
            __meta_kubernetes_pod_container_port_number: `${port.containerPort}`,
            __meta_kubernetes_pod_container_port_protocol: port.protocol ?? "TCP",
            ...labelsOf("pod", metadata.labels),
            ...(attach?.node && { __meta_kubernetes_node_name: node.name, ...labelsOf("node", node.labels) }),
            ...extra,
          },
        })),
      ),
    ),
  );
  return { ...scrapeConfig, static_configs: targets };
}

function labelsOf(object: string, labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(labels).flatMap(([name, value]) => [
      [`__meta_kubernetes_${object}_label_${sanitized(name)}`, value],
      [`__meta_kubernetes_${object}_labelpresent_${sanitized(name)}`, "true"],
    ]),
  );
}
