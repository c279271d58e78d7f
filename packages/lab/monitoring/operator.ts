/**
 * What the Prometheus operator makes of a PodMonitor: a scrape config, with relabelings in this order (prometheus-operator
 * 0.8x, pkg/prometheus/promcfg.go, generatePodMonitorConfig; the same since 0.38 but for the filters of phase and shard):
 *
 *  1. the job's name is kept in __tmp_prometheus_job_name
 *  2. keep: the phase is not Failed or Succeeded, the pod has the selector's labels, the container port has the name
 *  3. namespace, container, pod, from discovery
 *  4. job: NAMESPACE/NAME of the PodMonitor, then the value of the pod's label `jobLabel`, if it has one
 *  5. endpoint: the port's name
 *  6. the endpoint's own relabelings, which so can change all of these
 *  7. the shard, of which there is one
 *
 * Left out is what our PodMonitors do not use; a field that is not known here is an error, not ignored.
 */

export interface PodMonitor {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly jobLabel?: string;
    readonly attachMetadata?: { readonly node?: boolean };
    readonly podMetricsEndpoints: readonly Endpoint[];
  };
}

interface Endpoint {
  readonly port: string;
  readonly path?: string;
  readonly interval?: string;
  readonly relabelings?: readonly Relabeling[];
}

interface Relabeling {
  readonly sourceLabels?: readonly string[];
  readonly separator?: string;
  readonly regex?: string;
  readonly action?: string;
  readonly targetLabel?: string;
  readonly replacement?: string;
}

/** A relabeling as Prometheus' own configuration has it. */
export interface RelabelConfig {
  readonly source_labels?: readonly string[];
  readonly separator?: string;
  readonly regex?: string;
  readonly action?: string;
  readonly target_label?: string;
  readonly replacement?: string;
  readonly modulus?: number;
}

export interface ScrapeConfig {
  readonly job_name: string;
  readonly metrics_path?: string;
  readonly kubernetes_sd_configs: readonly KubernetesDiscovery[];
  readonly relabel_configs: readonly RelabelConfig[];
}

export interface KubernetesDiscovery {
  readonly role: string;
  readonly namespaces: { readonly names: readonly string[] };
  readonly attach_metadata?: { readonly node: boolean };
}

/** One scrape config for each endpoint, but for its interval. */
export function operatorScrapeConfigs({ metadata, spec }: PodMonitor): readonly ScrapeConfig[] {
  const { selector, jobLabel, attachMetadata, podMetricsEndpoints, ...unknown } = spec;
  refuse("spec", unknown);
  const { matchLabels, ...otherSelectors } = selector;
  refuse("spec.selector", otherSelectors);
  return podMetricsEndpoints.map((endpoint, index) => {
    const { port, path, interval: _, relabelings = [], ...rest } = endpoint;
    refuse("spec.podMetricsEndpoints", rest);
    return {
      job_name: `podMonitor/${metadata.namespace}/${metadata.name}/${index}`,
      ...(path !== undefined && { metrics_path: path }),
      kubernetes_sd_configs: [
        {
          role: "pod",
          namespaces: { names: [metadata.namespace] },
          ...(attachMetadata?.node && { attach_metadata: { node: true } }),
        },
      ],
      relabel_configs: [
        { source_labels: ["job"], target_label: "__tmp_prometheus_job_name" },
        { source_labels: ["__meta_kubernetes_pod_phase"], regex: "(Failed|Succeeded)", action: "drop" },
        ...Object.entries(matchLabels).map(([name, value]) => ({
          source_labels: [podLabel(name), `__meta_kubernetes_pod_labelpresent_${sanitized(name)}`],
          regex: `(${value});true`,
          action: "keep",
        })),
        { source_labels: ["__meta_kubernetes_pod_container_port_name"], regex: port, action: "keep" },
        { source_labels: ["__meta_kubernetes_namespace"], target_label: "namespace" },
        { source_labels: ["__meta_kubernetes_pod_container_name"], target_label: "container" },
        { source_labels: ["__meta_kubernetes_pod_name"], target_label: "pod" },
        { target_label: "job", replacement: `${metadata.namespace}/${metadata.name}` },
        ...(jobLabel === undefined
          ? []
          : [{ source_labels: [podLabel(jobLabel)], regex: "(.+)", target_label: "job", replacement: `\${1}` }]),
        { target_label: "endpoint", replacement: port },
        ...relabelings.map(asPrometheusHasIt),
        { source_labels: ["__address__"], target_label: "__tmp_hash", modulus: 1, action: "hashmod" },
        { source_labels: ["__tmp_hash"], regex: "0", action: "keep" },
      ],
    };
  });
}

function asPrometheusHasIt(relabeling: Relabeling): RelabelConfig {
  const { sourceLabels, targetLabel, separator, regex, action, replacement, ...unknown } = relabeling;
  refuse("relabelings", unknown);
  return {
    ...(sourceLabels && { source_labels: sourceLabels }),
    ...(separator !== undefined && { separator }),
    ...(regex !== undefined && { regex }),
    ...(action !== undefined && { action: action.toLowerCase() }),
    ...(targetLabel !== undefined && { target_label: targetLabel }),
    ...(replacement !== undefined && { replacement }),
  };
}

function podLabel(name: string): string {
  return `__meta_kubernetes_pod_label_${sanitized(name)}`;
}

/** A label's name as Prometheus can have it; discovery does the same. */
export function sanitized(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
}

function refuse(where: string, unknown: object): void {
  const names = Object.keys(unknown);
  if (names.length > 0) throw new Error(`${where}: ${names.join(", ")} is not known to this copy of the operator`);
}
