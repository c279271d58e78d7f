import type { TestNetwork } from "@ip-masq-agent/core/conformance";
import { refusal } from "./destination.ts";
import { openNamespace } from "./namespace.ts";
import { addresses, connect, type Spaces } from "./topology.ts";
import { openTraffic, type Traffic } from "./traffic/traffic.ts";

/** A throwaway pod, node and outside host on the real kernel; gone with `await using`, or with this process. */
export interface Lab extends TestNetwork {
  /** The namespaces themselves. To start a program on the node: `execa(lab.launcher[0], [...lab.launcher.slice(1), …])`. */
  readonly spaces: Spaces;
}

/** Needs root, unshare, nsenter, ip and nft (util-linux, iproute2, nftables). Never touches the machine's own network. */
export async function createLab(): Promise<Lab> {
  await using stack = new AsyncDisposableStack();
  const pod = stack.use(await openNamespace());
  const node = stack.use(await openNamespace());
  const outside = stack.use(await openNamespace());
  const spaces = { pod, node, outside };
  await connect(spaces);
  let traffic: Promise<Traffic> | undefined;
  const resources = stack.move();
  return {
    pod: { IPv4: addresses.IPv4.pod, IPv6: addresses.IPv6.pod },
    node: { IPv4: addresses.IPv4.node, IPv6: addresses.IPv6.node },
    spaces,
    launcher: node.launcher,
    run: node.run,
    refusal,
    async send(packets) {
      // Two Node processes, started for those who send only.
      traffic ??= openTraffic(spaces).then((opened) => resources.use(opened));
      return (await traffic).send(packets);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
