import { readFile } from "node:fs/promises";
import { load, loadAll } from "js-yaml";
import { helmRendered, kustomized, noHelm, noKustomize } from "../cluster/manifests.ts";
import type { DaemonSet } from "./discovery.ts";
import { operatorScrapeConfigs, type PodMonitor, type ScrapeConfig } from "./operator.ts";

/** A way to deploy and to scrape the agent, as a Prometheus sees it. */
export interface Deployment {
  /** Also the label cluster of its targets; "": they have none. */
  readonly cluster: string;
  readonly daemonSet: DaemonSet;
  readonly scrapeConfigs: readonly ScrapeConfig[];
}

/** The node label that the deployment `chart-elsewhere` makes the label nodepool. */
export const poolLabel = "cloud.google.com/gke-nodepool";

const image = { name: "ip-masq-agent", tag: "1.2.3" };
const deploy = (path: string) => readFile(new URL(`../../../deploy/${path}`, import.meta.url), "utf8");

/**
 * All ways that the manifests offer, each rendered by its own tool, and why those are missing whose tool is not here. The
 * scrape example and the files of the kustomize component as they are need no tool.
 */
export async function deployments(): Promise<{
  readonly all: readonly Deployment[];
  readonly missing: readonly string[];
}> {
  const asTheyAre = ["kubernetes/base/daemonset.yaml", "kubernetes/components/podmonitor/podmonitor.yaml"];
  const manifests = (await Promise.all(asTheyAre.map(deploy))).join("\n---\n");
  const all = [byOperator("", manifests), await byExample(manifests)];
  const missing: string[] = [];
  const kustomize = await noKustomize();
  if (kustomize === undefined) {
    const render = (namespace?: string) => kustomized("overlays/auto", image, ["podmonitor"], namespace);
    all.push(byOperator("kustomize", await render()), byOperator("kustomize-elsewhere", await render("masq")));
  } else missing.push(`kustomize: ${kustomize}`);
  const helm = await noHelm();
  if (helm === undefined) {
    const podMonitor = { enabled: true };
    const elsewhere = { podMonitor: { ...podMonitor, nodePoolLabel: poolLabel, labels: { release: "monitoring" } } };
    all.push(
      byOperator("chart", await helmRendered({ podMonitor })),
      byOperator("chart-elsewhere", await helmRendered(elsewhere, { name: "egress", namespace: "masq" })),
    );
  } else missing.push(`the chart: ${helm}`);
  return { all, missing };
}

function byOperator(cluster: string, manifests: string): Deployment {
  const objects = loadAll(manifests) as readonly (PodMonitor | DaemonSet | null)[];
  const podMonitor = objects.find((object): object is PodMonitor => object?.kind === "PodMonitor");
  const daemonSet = objects.find((object): object is DaemonSet => object?.kind === "DaemonSet");
  if (podMonitor === undefined || daemonSet === undefined) throw new Error(`${cluster}: no PodMonitor and DaemonSet`);
  return { cluster, daemonSet, scrapeConfigs: operatorScrapeConfigs(podMonitor) };
}

async function byExample(manifests: string): Promise<Deployment> {
  const { scrape_configs: scrapeConfigs } = load(await deploy("prometheus/scrape.yaml")) as {
    readonly scrape_configs: readonly ScrapeConfig[];
  };
  return { ...byOperator("example", manifests), scrapeConfigs };
}
