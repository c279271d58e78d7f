import { createServer } from "node:http";
import { endpoint } from "./free-port.ts";

/** What kube-state-metrics tells of an agent's pod and its node. */
export interface PodState {
  readonly namespace: string;
  readonly pod: string;
  readonly node: string;
  ready: boolean;
  nodeReady: boolean;
}

/** The metrics of kube-state-metrics that the rules use, on a page whose content the test changes. */
export async function openKubeState(
  states: readonly PodState[],
): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/plain; version=0.0.4").end(states.map(page).join(""));
  });
  const port = await endpoint(server);
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function page({ namespace, pod, node, ready, nodeReady }: PodState): string {
  const name = `namespace="${namespace}",pod="${pod}"`;
  const created = 'created_by_kind="DaemonSet",created_by_name="ip-masq-agent"';
  const number = (is: boolean) => (is ? 1 : 0);
  return [
    `kube_pod_info{${name},node="${node}",host_network="true",${created}} 1`,
    `kube_pod_status_ready{${name},condition="true"} ${number(ready)}`,
    `kube_node_status_condition{node="${node}",condition="Ready",status="true"} ${number(nodeReady)}`,
    "",
  ].join("\n");
}
