import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";

/** Where the API server is, and what a request to it must carry. */
export interface Credentials {
  /** `https://10.96.0.1:443` */
  readonly server: string;
  /** Headers, TLS and proxy for one request; tokens are read anew where they were replaced. */
  options(): Promise<RequestOptions>;
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
  return credentialsOf(kubeConfigOf(source));
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
      if (kubeconfig === "") config.loadFromDefault();
      else config.loadFromFile(kubeconfig);
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

export function credentialsOf(config: KubeConfig): Credentials {
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    const contexts = config.getContexts().map(({ name }) => name);
    const which = JSON.stringify(config.getCurrentContext());
    throw new Error(`there is no context ${which}, or it has no cluster; there are: ${contexts.join(", ") || "none"}`);
  }
  return {
    server: cluster.server,
    async options() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return options;
    },
  };
}
