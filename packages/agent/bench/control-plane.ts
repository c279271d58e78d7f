import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Api, createApi } from "../src/kubernetes/api.ts";
import { loadCredentials } from "../src/kubernetes/credentials.ts";

const scripts = process.env["CLUSTER_SCRIPTS"] ?? fileURLToPath(new URL("../../../../shared/cluster", import.meta.url));

/** Why there is no control plane to measure with; undefined: there can be one. */
export function noControlPlane(): string | undefined {
  if (!existsSync(`${scripts}/control-plane.sh`)) return `no scripts for a cluster at ${scripts}; set CLUSTER_SCRIPTS`;
  return process.getuid?.() === 0 ? undefined : "network namespaces take root";
}

/** A real API server and etcd, without nodes, in this process's network namespace. */
export interface ControlPlane extends AsyncDisposable {
  readonly kubeconfig: string;
  readonly api: Api;
  /** Stops it and starts it again, with all objects. */
  restart(): Promise<void>;
  /** The API server's process. */
  pid(): Promise<number>;
}

export async function openControlPlane(): Promise<ControlPlane> {
  const script = async (...words: readonly string[]) =>
    (await execa(`${scripts}/control-plane.sh`, words, { stdin: "ignore", timeout: 900_000 })).stdout.trim();
  await execa(`${scripts}/build.sh`, ["--control-plane"], { stdin: "ignore", timeout: 900_000 });
  await script("down", "--clean");
  const kubeconfig = await script("up");
  return {
    kubeconfig,
    api: apiOf(kubeconfig),
    async restart() {
      await script("down");
      await script("up");
    },
    async pid() {
      const file = join(dirname(kubeconfig), "../pid/kube-apiserver");
      return Number((await readFile(file, "utf8")).split(" ")[0]);
    },
    async [Symbol.asyncDispose]() {
      await script("down", "--clean");
    },
  };
}

export function apiOf(kubeconfig: string): Api {
  return createApi(async () => loadCredentials({ kubeconfig }));
}

const path = "/api/v1/namespaces/kube-system/configmaps";
export const configMap = { namespace: "kube-system", name: "ip-masq-agent" } as const;

/** Makes or changes the ConfigMap that all watch. */
export async function writeConfig(api: Api, text: string, isNew: boolean): Promise<void> {
  const { namespace, name } = configMap;
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data: { config: text } };
  const asked = { verb: isNew ? "create" : "patch", resource: "configmaps", namespace } as const;
  const call = isNew ? ({ path, method: "POST" } as const) : ({ path: `${path}/${name}`, method: "PATCH" } as const);
  await api.call({ ...call, asked, body, signal: AbortSignal.timeout(30_000) });
}
