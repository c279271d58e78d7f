import { Buffer } from "node:buffer";
import type { ConfigSource } from "@ip-masq-agent/core";
import type { ConfigMapName } from "../flags/flag.ts";
import { SourceError } from "../sources/read.ts";
import { type Snapshot, snapshotOf } from "../sources/snapshot.ts";
import { recordOf } from "./object.ts";
import type { Watched } from "./watch-object.ts";

/** The keys that a config has in the wild, as in a volume mounted at the default path: the first that is there counts. */
const keys = ["ip-masq-agent", "config"] as const;

export function watchedConfigMap({ namespace, name }: ConfigMapName): Watched {
  return { collection: `/api/v1/namespaces/${namespace}/configmaps`, resource: "configmaps", namespace, name };
}

export function configMapText({ namespace, name }: ConfigMapName): string {
  return `configmap ${namespace}/${name}`;
}

/** What a ConfigMap says, as files of that content would. */
export function configMapSnapshot(where: ConfigMapName, object: unknown): Snapshot {
  if (object === undefined || object === null)
    return { ...snapshotOf([]), missing: { place: configMapText(where), kind: "configmap" } };
  const found = contents(object);
  const key = keys.find((one) => found.has(one));
  const content = key === undefined ? undefined : found.get(key);
  if (key === undefined || content === undefined) {
    const names = [...found.keys()].join(", ");
    return snapshotOf(
      new SourceError({
        severity: "error",
        code: "no-config-key",
        file: configMapText(where),
        reason: names === "" ? "has no keys" : `has no key ip-masq-agent or config, but ${names}`,
        remedy: "put the config under the key ip-masq-agent, or delete the ConfigMap for the defaults",
      }),
    );
  }
  const source: ConfigSource = { file: `${configMapText(where)}[${key}]`, content };
  return snapshotOf([source]);
}

/** The part of a ConfigMap that is worth keeping. */
export function essence(object: unknown): unknown {
  if (object === undefined || object === null) return null;
  const { data, binaryData } = recordOf(object);
  const pick = (values: unknown) => {
    const own = recordOf(values);
    return Object.fromEntries(keys.flatMap((key) => (Object.hasOwn(own, key) ? [[key, own[key]]] : [])));
  };
  return { data: pick(data), binaryData: pick(binaryData) };
}

function contents(object: unknown): ReadonlyMap<string, Uint8Array> {
  const { data, binaryData } = recordOf(object);
  const entries = (values: unknown, decode: (text: string) => Uint8Array) =>
    Object.entries(recordOf(values)).flatMap(([key, text]): readonly (readonly [string, Uint8Array])[] =>
      typeof text === "string" ? [[key, decode(text)]] : [],
    );
  return new Map([
    ...entries(binaryData, (text) => Buffer.from(text, "base64")),
    ...entries(data, (text) => Buffer.from(text)),
  ]);
}
