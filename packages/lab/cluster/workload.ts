import { readFile } from "node:fs/promises";
import type { Cluster } from "./cluster.ts";
import { imageName, imageTag } from "./image.ts";
import { type Arrival, targets } from "./outside.ts";

/** New flows a second that each pod opens to each target: enough for 50 to arrive while the machine is busy. */
export const rate = 75;

/** A pod on every node that sends without a pause. */
export async function deployWorkload(cluster: Cluster): Promise<void> {
  const program = await readFile(new URL("sender.js", import.meta.url), "utf8");
  const object = {
    apiVersion: "v1",
    kind: "List",
    items: [
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "sender", namespace: "default" },
        data: { "sender.mjs": program },
      },
      {
        apiVersion: "apps/v1",
        kind: "DaemonSet",
        metadata: { name: "sender", namespace: "default" },
        spec: {
          selector: { matchLabels: { app: "sender" } },
          template: {
            metadata: { labels: { app: "sender" } },
            spec: {
              tolerations: [{ operator: "Exists" }],
              terminationGracePeriodSeconds: 1,
              containers: [
                {
                  name: "sender",
                  image: `${imageName}:${imageTag}`,
                  imagePullPolicy: "IfNotPresent",
                  command: ["/usr/bin/node", "/program/sender.mjs"],
                  env: [
                    { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
                    { name: "TARGETS", value: Object.values(targets).join(",") },
                    { name: "RATE", value: `${rate}` },
                  ],
                  volumeMounts: [{ name: "program", mountPath: "/program" }],
                },
              ],
              volumes: [{ name: "program", configMap: { name: "sender" } }],
            },
          },
        },
      },
    ],
  };
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(object));
  await cluster.kubectl(["rollout", "status", "daemonset/sender", "--timeout=120s"]);
}

/** The address that a pod's packet leaves its node with, if masqueraded: 203.0.113.0/27 is node 1's, the next node 2's. */
function nodeOf(pod: string): string {
  return Number(pod.split(".")[3]) < 32 ? "198.51.100.11" : "198.51.100.12";
}

/** What arrived with another source than it should, as text; targets that are exempt keep the pod's address. */
export function wrongSources(arrivals: readonly Arrival[], exempt: readonly string[]): readonly string[] {
  return arrivals.flatMap(({ source, pod, target }) => {
    const expected = exempt.includes(target) ? pod : nodeOf(pod);
    return source === expected ? [] : [`${pod} to ${target} came from ${source}, not ${expected}`];
  });
}

/** Flows that each pod opened to each target, a second; the least of them. */
export function flowsPerSecond(arrivals: readonly Arrival[], seconds: number): number {
  const counts = Map.groupBy(arrivals, ({ pod, target }) => `${pod} ${target}`);
  return Math.min(...[...counts.values()].map((own) => own.length / seconds));
}
