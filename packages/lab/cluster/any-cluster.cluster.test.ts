import { afterAll, describe, expect, test } from "vitest";
import { must } from "./cluster.ts";
import { kustomized, noKustomize } from "./manifests.ts";

/** `NAME:TAG` of an image that the cluster's nodes can have. */
const reference = process.env["IMAGE"];
const reason =
  process.env["KUBECONFIG"] === undefined || reference === undefined
    ? "KUBECONFIG names a disposable cluster, and IMAGE (NAME:TAG) an image that its nodes can have"
    : await noKustomize();
if (reason !== undefined) process.stderr.write(`a cluster of your own is not tried: ${reason}\n`);

const system = ["-n", "kube-system"] as const;
const kubectl = (words: readonly string[], input?: string) => must(["kubectl", ...words], input);

/** What can be seen through the API alone, on any cluster; the agent's rules are removed again at the end. */
describe.skipIf(reason !== undefined)("on the cluster that KUBECONFIG names", () => {
  const [name = "", tag = ""] = (reference ?? "").split(/:(?=[^:/]*$)/);
  const image = { name, tag };

  afterAll(async () => {
    await kubectl(["delete", ...system, "daemonset", "ip-masq-agent", "--ignore-not-found", "--wait"]);
    const cleanup = await kustomized("cleanup", image);
    await kubectl(["apply", "-f", "-"], cleanup);
    await kubectl(["rollout", "status", ...system, "daemonset/ip-masq-agent-cleanup", "--timeout=180s"]);
    await kubectl(["delete", "-f", "-", "--wait"], cleanup);
    await kubectl(["delete", ...system, "serviceaccount", "ip-masq-agent", "--ignore-not-found"]);
  });

  test.each(["overlays/auto", "overlays/nftables"])("%s comes up on every node, and says so", async (overlay) => {
    await kubectl(["apply", "-f", "-"], await kustomized(overlay, image));
    await kubectl(["rollout", "status", ...system, "daemonset/ip-masq-agent", "--timeout=300s"]);
    const listing = await kubectl([
      "get",
      "pods",
      ...system,
      "-l",
      "k8s-app=ip-masq-agent",
      "-o=jsonpath={.items[*].metadata.name}",
    ]);
    const pods = listing.split(" ").filter(Boolean);
    expect(pods.length).toBeGreaterThan(0);
    for (const pod of pods) {
      const ask = (...words: readonly string[]) => kubectl(["exec", ...system, pod, "--", "ip-masq-agent", ...words]);
      expect(await ask("status")).toContain("rules      in force");
      expect(await ask("explain", "192.0.2.1")).toContain("kernel");
    }
  });
});
