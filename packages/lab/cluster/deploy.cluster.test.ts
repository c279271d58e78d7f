import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Agents, agentProcess, agentsOf, nodes, system } from "./agents.ts";
import { type Cluster, noCluster, openCluster } from "./cluster.ts";
import { buildImage, imageName, imageTag } from "./image.ts";
import { helmRendered, kustomized, noHelm, noKustomize } from "./manifests.ts";
import { originalDaemonSet } from "./original.ts";
import { type Outside, openOutside, targets } from "./outside.ts";
import { rulesOfOriginal } from "./rules-of-original.ts";
import { pause, type Traffic, trafficOf } from "./traffic.ts";
import { deployWorkload, wrongSources } from "./workload.ts";

const [absent, kustomize, helm] = [noCluster(), await noKustomize(), await noHelm()];
const reason = absent ?? kustomize;
if (reason !== undefined) process.stderr.write(`the agent is not tried on a cluster: ${reason}\n`);
if (helm !== undefined) process.stderr.write(`the chart is not deployed: ${helm}\n`);

const pods = "203.0.113.0/24";
const image = { name: imageName, tag: imageTag };
const configOf = (...cidrs: readonly string[]) =>
  `nonMasqueradeCIDRs:\n${cidrs.map((cidr) => `  - ${cidr}\n`).join("")}`;
const usual = configOf(pods, `${targets.exempt}/32`);

describe.skipIf(reason !== undefined)("on a Kubernetes of two nodes", () => {
  let cluster: Cluster;
  let outside: Outside;
  let agents: Agents;
  let traffic: Traffic;

  beforeAll(async () => {
    await using built = await buildImage();
    process.stderr.write(`the image, by part:\n${built.sizes}`);
    cluster = await openCluster();
    await cluster.importImage(built.tar);
    agents = agentsOf(cluster);
    outside = await openOutside(cluster);
    traffic = trafficOf(outside);
    await deployWorkload(cluster);
  });
  afterAll(async () => {
    await outside?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  async function writeConfig(text: string, name = "ip-masq-agent", key = "ip-masq-agent"): Promise<void> {
    const metadata = { name, namespace: "kube-system" };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { [key]: text } };
    await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(object));
    await nudge();
  }

  /** Has the kubelet write the volume now, and not when it next looks at the pod. */
  async function nudge(): Promise<void> {
    const selector = ["-l", "k8s-app=ip-masq-agent"];
    await cluster
      .kubectl(["annotate", ...system, "pod", ...selector, `nudge=${Date.now()}`, "--overwrite"])
      .catch(() => "");
  }

  async function uninstall(): Promise<void> {
    await cluster.kubectl(["delete", ...system, "daemonset", "ip-masq-agent", "--ignore-not-found", "--wait"]);
    for (const name of ["ip-masq-agent", "ip-masq-agent-config"]) {
      await cluster.kubectl(["delete", ...system, "configmap", name, "--ignore-not-found"]);
    }
    await cluster.kubectl(["apply", "-f", "-"], await kustomized("cleanup", image));
    await cluster.kubectl(["rollout", "status", ...system, "daemonset/ip-masq-agent-cleanup", "--timeout=120s"]);
    await cluster.kubectl(["delete", ...system, "daemonset", "ip-masq-agent-cleanup", "--wait"]);
  }

  async function rules(node: 1 | 2): Promise<string> {
    const all = [
      "iptables-nft-save -t nat",
      "nft list ruleset",
      "[ ! -s /proc/net/ip_tables_names ] || iptables-legacy-save -t nat",
    ];
    return (await cluster.onNode(node, ["sh", "-c", all.join("; ")])).stdout;
  }

  test("deployed by kustomize, without a ConfigMap: the defaults, on both nodes", async () => {
    await agents.apply(await kustomized("overlays/auto", image));
    const from = performance.now();
    // Neither target is in a private range.
    await traffic.settled([], from);
    for (const node of nodes) expect(await agents.metric(node, "ip_masq_agent_config_last_reload_successful")).toBe(1);
  });

  test("the container runtime's default seccomp profile is in force, and the capabilities are the manifest's two", async () => {
    for (const node of nodes) {
      const [agent] = await agents.processes(node, agentProcess);
      const { stdout } = await cluster.onNode(node, ["cat", `/proc/${agent}/status`]);
      // SECCOMP_MODE_FILTER (include/uapi/linux/seccomp.h); NET_ADMIN is bit 12 and NET_RAW 13 (capability.h).
      expect(stdout).toMatch(/^Seccomp:\t2$/m);
      expect(stdout).toMatch(/^NoNewPrivs:\t1$/m);
      for (const set of ["CapEff", "CapPrm", "CapBnd"])
        expect(stdout).toMatch(new RegExp(`^${set}:\\t0{12}3000$`, "m"));
    }
  });

  test("a ConfigMap that comes later, and a change of it, reach both nodes' kernels", async () => {
    const created = performance.now();
    await writeConfig(usual);
    await traffic.settled([targets.exempt], created);
    const from = performance.now();
    await writeConfig(configOf(pods, `${targets.other}/32`));
    const written = performance.now();
    await traffic.settled([targets.other], from);
    const last = outside.since(from).filter((arrival) => wrongSources([arrival], [targets.other]).length > 0);
    process.stderr.write(
      `a change of the ConfigMap was in both kernels ${((last.at(-1)?.at ?? written) - written).toFixed(0)} ms after the pods were nudged\n`,
    );
    const back = performance.now();
    await writeConfig(usual);
    await traffic.settled([targets.exempt], back);
  });

  test("a broken ConfigMap shows in the metric, and disturbs no packet", async () => {
    const wrong = await traffic.wrongWhile(async () => {
      await writeConfig("nonMasqueradeCIDRs: [10.1.2.3/8]\n");
      for (const node of nodes) {
        await expect
          .poll(() => agents.metric(node, "ip_masq_agent_config_last_reload_successful"), {
            timeout: 60_000,
            interval: 500,
          })
          .toBe(0);
      }
      await pause(3_000);
      await writeConfig(usual);
      for (const node of nodes) {
        await expect
          .poll(() => agents.metric(node, "ip_masq_agent_config_last_reload_successful"), {
            timeout: 60_000,
            interval: 500,
          })
          .toBe(1);
      }
    });
    expect(wrong).toEqual([]);
  });

  test.each(["overlays/nftables", "overlays/iptables", "overlays/nftables", "overlays/iptables"])(
    "a rolling update to %s, and not one packet goes wrong",
    async (overlay) => {
      const wrong = await traffic.wrongWhile(async () => agents.apply(await kustomized(overlay, image)));
      expect(wrong).toEqual([]);
      const backend = overlay.endsWith("nftables") ? "nftables" : "iptables-nft";
      for (const node of nodes) {
        expect(await agents.metric(node, `ip_masq_agent_backend_info{backend="${backend}"`)).toBe(1);
        // Not with nft: the node's own crashes on what the image's newer one wrote.
        const chains = async () => (await cluster.onNode(node, ["iptables-nft-save", "-t", "nat"])).stdout;
        await expect
          .poll(async () => (await chains()).includes("IP-MASQ-AGENT"), { timeout: 30_000 })
          .toBe(backend === "iptables-nft");
      }
    },
  );

  test("kill -9 of the agent, of its container, and of the kubelet: no packet goes wrong, and it is back", async () => {
    const wrong = await traffic.wrongWhile(async () => {
      for (const node of nodes) {
        const before = await agents.restarts();
        const [agent] = await agents.processes(node, agentProcess);
        expect(agent).toBeDefined();
        await cluster.onNode(node, ["kill", "-9", agent ?? ""]);
        await expect.poll(agents.restarts, { timeout: 60_000, interval: 500 }).toBeGreaterThan(before);
        await agents.rolledOut();
      }
      const before = await agents.restarts();
      const [init] = await agents.processes(2, "^/usr/bin/tini -- /usr/bin/ip-masq-agent");
      await cluster.onNode(2, ["kill", "-9", init ?? ""]);
      await expect.poll(agents.restarts, { timeout: 120_000, interval: 500 }).toBeGreaterThan(before);
      await agents.rolledOut();
      const [kubelet] = await agents.processes(2, "/kubelet --config");
      expect(kubelet).toBeDefined();
      await cluster.onNode(2, ["kill", "-9", kubelet ?? ""]);
      await pause(5_000);
      // The agent does not need it: rules of ours that go are written again.
      await cluster.onNode(2, ["iptables-nft", "-t", "nat", "-F", "IP-MASQ-AGENT"]);
    });
    // Between the flush and its repair, packets of that node keep their address: some 20 ms, so a few flows.
    expect(wrong.length).toBeLessThan(60);
    await traffic.settled([targets.exempt], performance.now());
  });

  test("a node that comes back has its rules", async () => {
    await cluster.restart(2);
    await agents.rolledOut();
    await traffic.settled([targets.exempt], performance.now());
  });

  test("20,000 rules of others in the nat table: the memory limit holds, and drift is repaired", async () => {
    await agents.apply(await kustomized("overlays/iptables", image));
    const foreign = Array.from(
      { length: 20_000 },
      (_, at) =>
        `-A KUBE-FOREIGN -d 10.${at >> 8}.${at & 255}.1/32 -p tcp -m comment --comment "service ${at}" -m tcp --dport 80 -j RETURN`,
    );
    const text = `*nat\n:KUBE-FOREIGN - [0:0]\n${foreign.join("\n")}\nCOMMIT\n`;
    const before = await agents.restarts();
    const { exitCode, stderr } = await cluster.onNode(1, ["iptables-nft-restore", "--noflush"], text);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    const wrong = await traffic.wrongWhile(async () => {
      for (let round = 0; round < 5; round++) {
        await cluster.onNode(1, [
          "iptables-nft",
          "-t",
          "nat",
          "-A",
          "IP-MASQ-AGENT",
          "-d",
          `9.${round}.0.0/16`,
          "-j",
          "RETURN",
        ]);
        await expect
          .poll(
            async () =>
              (await cluster.onNode(1, ["iptables-nft-save", "-t", "nat"])).stdout.includes(`9.${round}.0.0/16`),
            {
              timeout: 60_000,
              interval: 250,
            },
          )
          .toBe(false);
      }
    });
    expect(wrong).toEqual([]);
    expect(await agents.restarts()).toBe(before);
    const [agent] = await agents.processes(1, agentProcess);
    const peak =
      "f=$(sed -n 's/.*:memory://p' /proc/$1/cgroup); cat /sys/fs/cgroup/memory$f/memory.max_usage_in_bytes /sys/fs/cgroup$f/memory.peak";
    const used = await cluster.onNode(1, ["sh", "-c", `${peak} 2>/dev/null; true`, "sh", agent ?? ""]);
    process.stderr.write(
      `memory at its highest, with 20,000 foreign rules, limit 320 MiB: ${Math.round(Number(used.stdout.split("\n")[0]) / 1024 / 1024)} MiB\n`,
    );
    await cluster.onNode(1, ["sh", "-c", "iptables-nft -t nat -F KUBE-FOREIGN; iptables-nft -t nat -X KUBE-FOREIGN"]);
  });

  test("uninstalled and cleaned up: no rule is left", async () => {
    await uninstall();
    for (const node of nodes) expect(await rules(node)).not.toMatch(/ip-masq-agent|IP-MASQ-AGENT|IPMASQ-/);
  });

  test.each(["overlays/iptables", "overlays/nftables"])(
    "migration from the original's rules to %s, and not one packet goes wrong",
    async (overlay) => {
      await uninstall();
      for (const node of nodes) {
        const input = rulesOfOriginal([pods, `${targets.exempt}/32`]);
        const { exitCode, stderr } = await cluster.onNode(node, ["iptables-nft-restore", "--noflush"], input);
        expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      }
      await traffic.settled([targets.exempt], performance.now());
      const wrong = await traffic.wrongWhile(async () => {
        await writeConfig(usual);
        await agents.apply(await kustomized(overlay, image));
      });
      expect(wrong).toEqual([]);
      for (const node of nodes) {
        const jumps = (await rules(node)).split("\n").filter((line) => /^-A POSTROUTING .*-j IP-MASQ-AGENT/.test(line));
        await expect.poll(async () => jumps.length).toBe(overlay.endsWith("iptables") ? 1 : 0);
      }
    },
  );

  test("applied over the original's DaemonSet with one command, and rolled back with one", async () => {
    await uninstall();
    await writeConfig(usual, "ip-masq-agent", "config");
    await agents.apply(JSON.stringify(originalDaemonSet(image)));
    for (const node of nodes) {
      await cluster.onNode(
        node,
        ["iptables-nft-restore", "--noflush"],
        rulesOfOriginal([pods, `${targets.exempt}/32`]),
      );
    }
    await traffic.settled([targets.exempt], performance.now());
    const container = ["get", ...system, "daemonset/ip-masq-agent", "-o=jsonpath={.spec.template.spec.containers[0]}"];
    const wrong = await traffic.wrongWhile(async () => {
      await agents.apply(await kustomized("overlays/nftables", image));
      const ours = await cluster.kubectl(container);
      expect(ours).not.toContain("--masq-chain");
      expect(ours).toContain('"privileged":false');
      for (const node of nodes)
        expect(await agents.metric(node, "ip_masq_agent_config_last_reload_successful")).toBe(1);
      await cluster.kubectl(["rollout", "undo", ...system, "daemonset/ip-masq-agent"]);
      await agents.rolledOut();
      expect(await cluster.kubectl(container)).toContain("--masq-chain=IP-MASQ-AGENT");
    });
    // Our rules stay, for the original to write its own beside them.
    expect(wrong).toEqual([]);
  });

  test.skipIf(helm !== undefined)("deployed by the chart: the same, with a config of its own", async () => {
    await uninstall();
    const config = { nonMasqueradeCIDRs: [pods, `${targets.exempt}/32`] };
    await agents.apply(
      await helmRendered({ image: { repository: image.name, tag: image.tag }, backend: "nftables", config }),
    );
    await traffic.settled([targets.exempt], performance.now());
  });

  test.each([
    [
      "Tencent's: another name and key, JSON, capitals",
      "ip-masq-agent-config",
      "config",
      JSON.stringify({
        NonMasqueradeCIDRs: [pods, `${targets.exempt}/32`],
        MasqLinkLocal: true,
        ResyncInterval: "1m0s",
      }),
    ],
    ["the name with the key config", "ip-masq-agent", "config", usual],
  ])("a ConfigMap of the shape %s", async (_, name, key, text) => {
    await uninstall();
    await writeConfig(text, name, key);
    await agents.apply(await kustomized("overlays/nftables", image));
    await traffic.settled([targets.exempt], performance.now());
  });

  test("AKS' pair of ConfigMaps is merged", async () => {
    await uninstall();
    await writeConfig(configOf(pods), "azure-ip-masq-agent-config", "ip-masq-agent");
    await writeConfig(
      configOf(`${targets.exempt}/32`),
      "azure-ip-masq-agent-config-reconciled",
      "ip-masq-agent-reconciled",
    );
    await agents.apply(await kustomized("overlays/azure", image));
    await traffic.settled([targets.exempt], performance.now());
  });

  test("an operator's question, in the pod", async () => {
    const words = ["exec", ...system, "daemonset/ip-masq-agent", "--", "ip-masq-agent"];
    const answer = await cluster.kubectl([...words, "explain", targets.other, "--config=/etc/config"]);
    expect(answer).toContain("masqueraded");
    expect(await cluster.kubectl([...words, "status"])).toContain("in force");
    expect(await cluster.kubectl([...words, "doctor", "--config=/etc/config"])).toContain("0 error");
  });
});
