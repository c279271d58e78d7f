import type { ConfigMapName, Options } from "../flags/flag.ts";
import { SourceError } from "../sources/read.ts";
import { type Snapshot, snapshotOf, takeSnapshot } from "../sources/snapshot.ts";
import { type CachedCopy, cachedCopy } from "./cached-copy.ts";
import { configMapSnapshot, configMapText } from "./config-map.ts";
import { copies } from "./inputs.ts";
import { nodeNameOf } from "./node-name.ts";
import { withPodCidrs } from "./pod-cidrs.ts";

/** What the agent on this node last found good: from its cached copies, and from the file where the config is one. */
export async function copiedSnapshot(options: Options): Promise<Snapshot> {
  const { config, configMap, cacheDir } = options;
  const own = configMap === undefined ? await takeSnapshot(config) : await copiedConfig(configMap, cacheDir);
  return options.exemptPodCidrs && own.error === undefined ? withNode(own, options) : own;
}

async function copiedConfig(configMap: ConfigMapName, cacheDir: string): Promise<Snapshot> {
  const copy = cachedCopy(cacheDir, copies.configMap, configMapText(configMap));
  const kept = await copy.read();
  return kept === undefined ? missing(configMapText(configMap), copy) : configMapSnapshot(configMap, kept.object);
}

async function withNode(own: Snapshot, options: Options): Promise<Snapshot> {
  const name = nodeNameOf(options) ?? "";
  const copy = cachedCopy(options.cacheDir, copies.node, `node ${name}`);
  const kept = await copy.read();
  return kept === undefined ? missing(`node ${name}`, copy) : withPodCidrs(own, name, kept.object);
}

function missing(what: string, { file }: CachedCopy): Snapshot {
  return snapshotOf(
    new SourceError({
      ...{ severity: "error", code: "no-copy", file: what },
      reason: `is known to the agent only, and there is no copy of it at ${file}`,
      remedy: "ask where the agent runs, with its --cache-dir (--as-agent), or give the config's file with --config",
    }),
  );
}
