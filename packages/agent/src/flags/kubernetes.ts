import { booleans, type Flag, valued } from "./flag.ts";
import { parseConfigMapName, parseNodeName, parsePath } from "./values.ts";

/** What the agent may ask of the API server. Each is off by default, and off it needs neither token nor API. */
export const kubernetesFlags: readonly Flag[] = [
  valued(
    "Kubernetes",
    "NAMESPACE/NAME",
    [
      "config-map",
      "configMap",
      "",
      "Watch this ConfigMap through the API instead of a mounted file: a change is in the kernel in milliseconds.",
    ],
    parseConfigMapName,
  ),
  ...booleans("Kubernetes", [
    ["exempt-pod-cidrs", "exemptPodCidrs", "false", "Exempt this node's own pod ranges (spec.podCIDRs) too."],
    ["events", "events", "false", "Tell the story in Events on the Node: config, drift, backend, failures."],
  ]),
  valued(
    "Kubernetes",
    "NAME",
    ["node-name", "nodeName", "", "This node's name in Kubernetes. Default: the environment's NODE_NAME."],
    parseNodeName,
  ),
  valued(
    "Kubernetes",
    "PATH",
    ["kubeconfig", "kubeconfig", "", "How to reach the API server. Default: the pod's service account."],
    (text) => ({ value: text === "" ? undefined : text }),
  ),
  valued(
    "Kubernetes",
    "PATH",
    [
      "cache-dir",
      "cacheDir",
      "/run/ip-masq-agent",
      "Where copies are kept for a restart: of what was watched, while the API server does not answer; with --missing-config=keep of the config, while there is none.",
    ],
    parsePath("a directory"),
  ),
];
