import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseDocuments } from "./documents.ts";
import { helmRendered, kustomized, noHelm, noKustomize } from "./manifests.ts";

const [kustomize, helm] = [await noKustomize(), await noHelm()];
for (const reason of [kustomize, helm]) {
  if (reason !== undefined) process.stderr.write(`manifests are not compared: ${reason}\n`);
}
const image = { name: "registry.example/ip-masq-agent", tag: "1.2.3" };
const base = { image: { repository: image.name, tag: image.tag } };

const on = { enabled: true };
const pairs = [
  ["overlays/auto", [], {}],
  ["overlays/iptables", [], { backend: "iptables" }],
  ["overlays/nftables", [], { backend: "nftables" }],
  ["overlays/dual-stack", [], { enableIPv6: true }],
  ["overlays/azure", [], { azure: true }],
  ["overlays/auto", ["config-map"], { watchConfigMap: on }],
  ["overlays/auto", ["keep-config"], { missingConfig: "keep" }],
  ["overlays/azure", ["keep-config"], { azure: true, missingConfig: "keep" }],
  ["overlays/auto", ["events"], { events: on }],
  ["overlays/auto", ["exempt-pod-cidrs"], { exemptPodCIDRs: on }],
  ["overlays/auto", ["podmonitor"], { podMonitor: on }],
  [
    "overlays/nftables",
    ["config-map", "events", "exempt-pod-cidrs", "keep-config"],
    { backend: "nftables", missingConfig: "keep", watchConfigMap: on, events: on, exemptPodCIDRs: on },
  ],
] as const;

test.skipIf(kustomize !== undefined || helm !== undefined).each(pairs)(
  "%s with %j, and the chart with %j, are the same objects",
  async (overlay, components, values) => {
    const ours = await kustomized(overlay, image, components);
    const chart = await helmRendered({ ...base, ...values });
    expect(parseDocuments(chart)).toEqual(parseDocuments(ours));
  },
);

test.skipIf(kustomize !== undefined || helm !== undefined)(
  "another namespace and another release name change no label by which the rules find the agents",
  async () => {
    const ours = await kustomized("overlays/auto", image, ["podmonitor"], "masq");
    const chart = await helmRendered({ ...base, podMonitor: on }, { name: "egress", namespace: "masq" });
    expect(parseDocuments(chart)).toEqual(parseDocuments(ours));
    expect(parseDocuments(chart).find(({ kind }) => kind === "PodMonitor")).toMatchObject({
      metadata: { namespace: "masq" },
      spec: { jobLabel: "k8s-app", selector: { matchLabels: { "k8s-app": "ip-masq-agent" } } },
    });
  },
);

test.skipIf(helm !== undefined)("the chart's PodMonitor takes labels, a node pool label and relabelings", async () => {
  const relabelings = [{ targetLabel: "cluster", replacement: "east" }];
  const podMonitor = {
    ...on,
    labels: { release: "monitoring" },
    nodePoolLabel: "cloud.google.com/gke-nodepool",
    relabelings,
  };
  const objects = parseDocuments(await helmRendered({ ...base, podMonitor }));
  expect(objects.find(({ kind }) => kind === "PodMonitor")).toMatchObject({
    metadata: { labels: { "k8s-app": "ip-masq-agent", release: "monitoring" } },
    spec: {
      attachMetadata: { node: true },
      podMetricsEndpoints: [
        {
          relabelings: [
            { sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "node" },
            { sourceLabels: ["__meta_kubernetes_node_label_cloud_google_com_gke_nodepool"], targetLabel: "nodepool" },
            { targetLabel: "cluster", replacement: "east" },
          ],
        },
      ],
    },
  });
});

test.skipIf(helm !== undefined)(
  "the chart makes a ConfigMap of its config, a PodMonitor and the admission policy where asked",
  async () => {
    const objects = parseDocuments(
      await helmRendered({
        ...base,
        config: { nonMasqueradeCIDRs: ["10.0.0.0/8"], resyncInterval: "1m" },
        podMonitor: { enabled: true },
        admissionPolicy: { enabled: true },
        maxUnavailable: "10%",
        image: { ...base.image, digest: `sha256:${"a".repeat(64)}` },
      }),
    );
    expect(objects.map(({ kind }) => kind)).toEqual([
      ...["ConfigMap", "DaemonSet", "PodMonitor", "ServiceAccount"],
      ...["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"],
    ]);
    expect(JSON.stringify(objects)).toContain("nonMasqueradeCIDRs:\\n- 10.0.0.0/8\\nresyncInterval: 1m\\n");
    expect(JSON.stringify(objects)).toContain(`ip-masq-agent@sha256:${"a".repeat(64)}`);
  },
);

test("the chart's copy of the admission policy is the component, word for word", async () => {
  for (const name of ["policy", "binding"]) {
    const [copy, original] = await Promise.all(
      [`helm/ip-masq-agent/admission/${name}.yaml`, `kubernetes/components/admission/${name}.yaml`].map((path) =>
        readFile(new URL(`../../../deploy/${path}`, import.meta.url), "utf8"),
      ),
    );
    expect(copy).toBe(original);
  }
});
