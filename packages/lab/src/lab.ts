import type { TestNetwork } from "@ip-masq-agent/core/conformance";
import { createNamespace, type Namespace } from "./namespace.ts";
import { startTraffic } from "./traffic/traffic.ts";

/** A pod, a node that forwards for it, and an outside host that takes packets for every address there is. */
export interface Lab extends TestNetwork {
  readonly spaces: { readonly pod: Namespace; readonly node: Namespace; readonly outside: Namespace };
}

const addresses = {
  pod: { IPv4: "10.244.1.10", IPv6: "fd00:10:244:1::a" },
  gateway: { IPv4: "10.244.1.1", IPv6: "fd00:10:244:1::1" },
  node: { IPv4: "192.0.2.2", IPv6: "2001:db8:2::2" },
  outside: { IPv4: "192.0.2.1", IPv6: "2001:db8:2::1" },
} as const;

/**
 * Builds the network in about half a second. Links carry single addresses, not subnets, so that every destination but
 * the pod's and the node's own is routed from the pod through the node to the outside host.
 */
export async function createLab(): Promise<Lab> {
  await using stack = new AsyncDisposableStack();
  const [pod, node, outside] = await Promise.all([createNamespace(), createNamespace(), createNamespace()]);
  for (const space of [outside, node, pod]) stack.use(space);
  // Duplicate address detection would hold every IPv6 address back for a second.
  const ownSettings = "/proc/sys/net/ipv6/conf/default/accept_dad";
  await Promise.all([pod, node, outside].map((space) => space.must(["tee", ownSettings], "0")));
  await node.must(["tee", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"], "1");
  await node.must(["ip", "link", "add", "pod0", "type", "veth", "peer", "name", "eth0", "netns", `${pod.pid}`]);
  await node.must(["ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", `${outside.pid}`]);
  await Promise.all([setUp(node, nodeSetup), setUp(pod, podSetup), setUp(outside, outsideSetup)]);
  const traffic = stack.use(await startTraffic(pod, outside));
  const lab: Lab = {
    pod: addresses.pod,
    node: addresses.node,
    launcher: node.launcher,
    spaces: { pod, node, outside },
    run: (command, input) => node.run(command, input),
    send: (packets) => traffic.send(packets),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
  const held = stack.move();
  return lab;
}

/** Lines for `ip -batch`, those of IPv6 marked; the mark is a flag of the program, not of a line. */
async function setUp(space: Namespace, lines: string): Promise<void> {
  const [four, six] = [false, true].map((wanted) =>
    lines
      .split("\n")
      .filter((line) => line.startsWith("-6 ") === wanted)
      .map((line) => line.replace("-6 ", ""))
      .join("\n"),
  );
  await space.must(["ip", "-batch", "-"], four);
  await space.must(["ip", "-6", "-batch", "-"], six);
}

const nodeSetup = `
link set pod0 up
link set out0 up
addr add ${addresses.gateway.IPv4}/32 dev pod0
addr add ${addresses.node.IPv4}/32 dev out0
route add ${addresses.pod.IPv4}/32 dev pod0
route add ${addresses.outside.IPv4}/32 dev out0
route add default via ${addresses.outside.IPv4} dev out0 onlink
-6 addr add ${addresses.gateway.IPv6}/128 dev pod0 nodad
-6 addr add ${addresses.node.IPv6}/128 dev out0 nodad
-6 route add ${addresses.pod.IPv6}/128 dev pod0
-6 route add ${addresses.outside.IPv6}/128 dev out0
-6 route add default via ${addresses.outside.IPv6} dev out0 onlink
`;

const podSetup = `
link set eth0 up
addr add ${addresses.pod.IPv4}/32 dev eth0
route add ${addresses.gateway.IPv4}/32 dev eth0
route add default via ${addresses.gateway.IPv4} dev eth0 onlink
-6 addr add ${addresses.pod.IPv6}/128 dev eth0 nodad
-6 route add ${addresses.gateway.IPv6}/128 dev eth0
-6 route add default via ${addresses.gateway.IPv6} dev eth0 onlink
`;

/**
 * Every address is the outside host's own, the pod's and the node's excepted: their routes are asked first. The table
 * must be `local` itself, for the kernel answers a SYN only from an address that it finds there.
 */
const outsideSetup = `
link set eth0 up
addr add ${addresses.outside.IPv4}/32 dev eth0
route add ${addresses.node.IPv4}/32 dev eth0 table 300
route add ${addresses.pod.IPv4}/32 via ${addresses.node.IPv4} dev eth0 onlink table 300
rule add pref 10 lookup 300
rule add pref 20 lookup local
rule del pref 0
route add local default dev lo table local
-6 addr add ${addresses.outside.IPv6}/128 dev eth0 nodad
-6 route add ${addresses.node.IPv6}/128 dev eth0 table 300
-6 route add ${addresses.pod.IPv6}/128 via ${addresses.node.IPv6} dev eth0 onlink table 300
-6 rule add pref 10 lookup 300
-6 rule add pref 20 lookup local
-6 rule del pref 0
-6 route add local default dev lo table local
`;
