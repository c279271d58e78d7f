import { existsSync, readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { delimiter, dirname, resolve } from "node:path";
import { KubeConfig, loadYaml } from "@kubernetes/client-node";
import { recordOf } from "./object.ts";

/** Where the API server is, and what a request to it must carry. */
export interface Credentials {
  /** `https://10.96.0.1:443` */
  readonly server: string;
  /** Headers, TLS and proxy for one request; tokens are read anew where they were replaced. */
  options(): Promise<RequestOptions>;
  /** What to look at where `options` rejects. */
  readonly remedy: string;
}

/** The kubeconfig to use, and the context in it; without a path the pod's own service account. */
export interface CredentialSource {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/**
 * The only file that imports Kubernetes' client for the agent: it knows kubeconfigs, their plugins for credentials, and
 * how service account tokens are replaced. It is bundled into a file of its own, which is loaded only where the API is
 * asked for anything: 14 MB of memory. Throws where there are no such credentials, naming the file.
 */
export function loadCredentials(source: CredentialSource): Credentials {
  const remedy =
    source.kubeconfig === undefined
      ? "is the service account's token mounted (automountServiceAccountToken)?"
      : "look at the user in the kubeconfig";
  return { ...credentialsOf(kubeConfigOf(source)), remedy };
}

/** A kubeconfig, read; an empty path means the one that kubectl would take. */
export function kubeConfigOf({ kubeconfig, context }: CredentialSource): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig === undefined) {
    if (process.env["KUBERNETES_SERVICE_HOST"] === undefined)
      throw new Error("this is no pod (KUBERNETES_SERVICE_HOST is not set); name a kubeconfig with --kubeconfig");
    config.loadFromCluster();
  } else {
    try {
      if (kubeconfig === "") loadDefault(config);
      else loadFile(config, kubeconfig);
    } catch (cause) {
      // What js-yaml says goes on with an excerpt of the file, which may hold secrets.
      const [why] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
      const which = kubeconfig === "" ? "of $KUBECONFIG or ~/.kube/config" : kubeconfig;
      throw new Error(`the kubeconfig ${which} cannot be read: ${why}; name another with --kubeconfig`);
    }
  }
  if (context !== undefined) config.setCurrentContext(context);
  return config;
}

/** As kubectl finds it: of the files that $KUBECONFIG names those that are there, else ~/.kube/config. */
function loadDefault(config: KubeConfig): void {
  const named = (process.env["KUBECONFIG"] ?? "").split(delimiter).filter(Boolean);
  const [first, ...others] = named.filter((file) => existsSync(file));
  if (first !== undefined) {
    loadFile(config, first);
    for (const file of others) {
      const more = new KubeConfig();
      loadFile(more, file);
      config.mergeConfig(more);
    }
    return;
  }
  if (named.length > 0) throw new Error(`there is no file ${named.join(", nor ")}`);
  const own = resolve(process.env["HOME"] ?? "/", ".kube/config");
  if (!existsSync(own)) throw new Error(`there is no ${own}, and KUBECONFIG is not set`);
  loadFile(config, own);
}

/** With kubectl's key for a token in a file, which client-node 2.0.1 passes over: requests would be anonymous. */
function loadFile(config: KubeConfig, file: string): void {
  config.loadFromFile(file);
  const { users } = recordOf(loadYaml(readFileSync(file, "utf8")));
  const listed: readonly unknown[] = Array.isArray(users) ? users : [];
  const tokens = new Map(listed.map((one) => [recordOf(one)["name"], recordOf(recordOf(one)["user"])["tokenFile"]]));
  config.users = config.users.map((user) => {
    const tokenFile = tokens.get(user.name);
    if (typeof tokenFile !== "string" || tokenFile === "") return user;
    return { ...user, authProvider: { name: "tokenFile", config: { tokenFile: resolve(dirname(file), tokenFile) } } };
  });
}

export function credentialsOf(config: KubeConfig): Credentials {
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    const contexts = config.getContexts().map(({ name }) => name);
    const which = JSON.stringify(config.getCurrentContext());
    throw new Error(`there is no context ${which}, or it has no cluster; there are: ${contexts.join(", ") || "none"}`);
  }
  if (!/^https?:\/\//i.test(cluster.server) || !URL.canParse(cluster.server)) {
    const which = `the server ${JSON.stringify(cluster.server)} of cluster ${cluster.name} is no URL`;
    throw new Error(`${which}; write it as https://10.96.0.1:443 in the kubeconfig`);
  }
  return {
    server: cluster.server,
    remedy: "look at the user in the kubeconfig",
    async options() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return options;
    },
  };
}
