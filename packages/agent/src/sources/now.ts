import type { Options } from "../flags/flag.ts";
import { fileNow } from "./file-now.ts";
import { missingFinding } from "./missing.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * The config as a command sees it that runs beside the agent: the file, or, where the agent watches the API, the copies
 * that it keeps. Commands ask the API nothing.
 */
export async function snapshotNow(options: Options): Promise<Snapshot> {
  if (options.configMap === undefined && !options.exemptPodCidrs) return fileNow(options);
  const { copiedSnapshot } = await import("../kubernetes/copied.ts");
  return copiedSnapshot(options);
}

/** Where the config is, for messages. */
export function configPlace({ config, configMap }: Options): string {
  return configMap === undefined ? config : `configmap ${configMap.namespace}/${configMap.name}`;
}

/** One line for people where no config was called for and there is none; undefined otherwise: the findings say it. */
export function defaultsNote({ missing }: Snapshot, options: Options): string | undefined {
  return missing !== undefined && missingFinding(missing, options, false) === undefined
    ? `${missing.place} does not exist: the defaults`
    : undefined;
}
