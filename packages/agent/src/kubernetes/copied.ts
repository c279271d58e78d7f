import type { ConfigMapName, Options } from "../flags/flag.ts";
import { type CachedCopy, cachedCopy } from "../sources/cached-copy.ts";
import { fileNow } from "../sources/file-now.ts";
import { SourceError } from "../sources/read.ts";
import { type Snapshot, snapshotOf } from "../sources/snapshot.ts";
import { configMapSnapshot, configMapText } from "./config-map.ts";
import { copies } from "./inputs.ts";
import { nodeNameOf } from "./node-name.ts";
import { withPodCidrs } from "./pod-cidrs.ts";

/** What the agent on this node last found good: from its cached copies, and from the file where the config is one. */
export async function copiedSnapshot(options: Options): Promise<Snapshot> {
  const { configMap, cacheDir } = options;
  const own = configMap === undefined ? await fileNow(options) : await copiedConfig(configMap, cacheDir);
  return options.exemptPodCidrs && own.error === undefined ? withNode(own, options) : own;
}

async function copiedConfig(configMap: ConfigMapName, cacheDir: string): Promise<Snapshot> {
  const copy = cachedCopy(cacheDir, copies.configMap, configMapText(configMap));
  const { copy: kept, ignored } = await copy.read();
  return kept === undefined
    ? missing(configMapText(configMap), copy, ignored)
    : configMapSnapshot(configMap, kept.object);
}

async function withNode(own: Snapshot, options: Options): Promise<Snapshot> {
  const name = nodeNameOf(options) ?? "";
  const copy = cachedCopy(options.cacheDir, copies.node, `node ${name}`);
  const { copy: kept, ignored } = await copy.read();
  return kept === undefined ? missing(`node ${name}`, copy, ignored) : withPodCidrs(own, name, kept.object);
}

function missing(what: string, { file }: CachedCopy, ignored: string | undefined): Snapshot {
  return snapshotOf(
    new SourceError({
      ...{ severity: "error", code: "no-copy", file: what },
      reason: `is known to the agent only, and ${ignored === undefined ? `there is no copy of it at ${file}` : `its copy at ${file} ${ignored}`}`,
      remedy: "ask where the agent runs, with its --cache-dir (--as-agent), or give the config's file with --config",
    }),
  );
}
