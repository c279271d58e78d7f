import type { Image } from "./manifests.ts";

/**
 * A DaemonSet as the original's manifest has it (privileged, as before v2.7; its own volume and arguments), with a program
 * that does nothing in its place: its image cannot be had here, and what it wrote is written by hand.
 */
export function originalDaemonSet({ name, tag }: Image): object {
  const labels = { "k8s-app": "ip-masq-agent" };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "ip-masq-agent", namespace: "kube-system", labels },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          hostNetwork: true,
          terminationGracePeriodSeconds: 1,
          tolerations: [{ operator: "Exists" }],
          containers: [
            {
              name: "ip-masq-agent",
              image: `${name}:${tag}`,
              imagePullPolicy: "IfNotPresent",
              command: ["/usr/bin/node", "-e", "setInterval(() => {}, 1e9)", "--"],
              args: ["--masq-chain=IP-MASQ-AGENT", "--nomasq-all-reserved-ranges"],
              securityContext: { privileged: true },
              volumeMounts: [{ name: "config", mountPath: "/etc/config" }],
            },
          ],
          volumes: [
            {
              name: "config",
              configMap: { name: "ip-masq-agent", optional: true, items: [{ key: "config", path: "ip-masq-agent" }] },
            },
          ],
        },
      },
    },
  };
}
