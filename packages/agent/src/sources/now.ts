import type { Options } from "../flags/flag.ts";
import { type Snapshot, takeSnapshot } from "./snapshot.ts";

/**
 * The config as a command sees it that runs beside the agent: the file, or, where the agent watches the API, the copies
 * that it keeps. Commands ask the API nothing.
 */
export async function snapshotNow(options: Options): Promise<Snapshot> {
  if (options.configMap === undefined && !options.exemptPodCidrs) return takeSnapshot(options.config);
  const { copiedSnapshot } = await import("../kubernetes/copied.ts");
  return copiedSnapshot(options);
}

/** Where the config is, for messages. */
export function configPlace({ config, configMap }: Options): string {
  return configMap === undefined ? config : `configmap ${configMap.namespace}/${configMap.name}`;
}
