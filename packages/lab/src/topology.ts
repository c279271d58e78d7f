import { type Family, families } from "@ip-masq-agent/core";
import { type Namespace, runChecked } from "./namespace.ts";

/** The three places of a lab. */
export type Place = "pod" | "node" | "outside";

export type Spaces = Readonly<Record<Place, Namespace>>;

/** The addresses of one family that mean something; outside answers for every other one. */
export interface FamilyAddresses {
  readonly pod: string;
  /** The node's side of the pod's link. */
  readonly gateway: string;
  /** The node towards outside. */
  readonly node: string;
  readonly outside: string;
}

/** Private and documentation addresses (RFC 1918, RFC 4193, RFC 5737, RFC 3849), as a cluster and its uplink use them. */
export const addresses: Readonly<Record<Family, FamilyAddresses>> = {
  IPv4: { pod: "10.244.1.10", gateway: "10.244.1.1", node: "192.0.2.2", outside: "192.0.2.1" },
  IPv6: { pod: "fd00:10:244:1::10", gateway: "fd00:10:244:1::1", node: "2001:db8:2::2", outside: "2001:db8:2::1" },
};

const podLink = "pod0";
const uplink = "eth0";

/** Joins pod and node, node and outside, and routes both families; pod traffic leaves by the node's `eth0`. */
export async function connect(spaces: Spaces): Promise<void> {
  // Before the interfaces exist, because they take over the defaults of their namespace at birth.
  await Promise.all(Object.values(spaces).map((space) => setKernelValues(space, "0", switchedOff)));
  await setKernelValues(spaces.node, "1", forwarding);
  await forgetFlowsSoon(spaces.node);
  await runBatch(spaces.node, [
    `link add ${podLink} type veth peer name ${uplink} netns ${spaces.pod.pid}`,
    `link add ${uplink} type veth peer name ${uplink} netns ${spaces.outside.pid}`,
    "link set lo up",
    `link set ${podLink} up`,
    `link set ${uplink} up`,
  ]);
  await Promise.all(
    [spaces.pod, spaces.outside].map((it) => runBatch(it, ["link set lo up", `link set ${uplink} up`])),
  );
  await Promise.all(families.map((family) => route(spaces, family)));
}

/** A foreign source is no reason to drop a packet here, and an address must not wait a second to be usable (DAD). */
const switchedOff = [
  "ipv4/conf/all/rp_filter",
  "ipv4/conf/default/rp_filter",
  "ipv6/conf/default/accept_dad",
  "ipv6/conf/default/accept_ra",
];

const forwarding = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"];

/**
 * Every address is a host address and every neighbour a host route: the networks around them stay free, so that a test
 * may send to 10.244.1.11 or 192.0.2.3 as to any other.
 *
 * Outside has every address (AnyIP: a route of type local for everything) but the pod's and the node's. That route has
 * to be in the table `local`, the only one where the kernel looks up the source of an IPv4 TCP reply; because this table
 * comes before `main`, the two exceptions stand in it as well, where the longer prefix wins.
 */
async function route(spaces: Spaces, family: Family): Promise<void> {
  const { pod, gateway, node, outside } = addresses[family];
  const host = family === "IPv4" ? "32" : "128 nodad";
  await Promise.all([
    runBatch(
      spaces.pod,
      [
        `addr add ${pod}/${host} dev ${uplink}`,
        `route add ${gateway} dev ${uplink}`,
        `route add default via ${gateway}`,
      ],
      family,
    ),
    runBatch(
      spaces.node,
      [
        `addr add ${gateway}/${host} dev ${podLink}`,
        `addr add ${node}/${host} dev ${uplink}`,
        `route add ${pod} dev ${podLink}`,
        `route add ${outside} dev ${uplink}`,
        `route add default via ${outside}`,
      ],
      family,
    ),
    runBatch(
      spaces.outside,
      [
        `addr add ${outside}/${host} dev ${uplink}`,
        `route add ${node} dev ${uplink} table local`,
        `route add ${pod} via ${node} table local`,
        "route add local default dev lo table local",
      ],
      family,
    ),
  ]);
}

/**
 * The node forgets a flow after a second instead of half a minute: the decision on a flow's first packet holds as long
 * as it is remembered, and the pod comes back to a source port after 50,000 packets. It also keeps thousands of flows a
 * second from filling the table. A NAT chain, made and removed, loads connection tracking where it is a module.
 */
async function forgetFlowsSoon(node: Namespace): Promise<void> {
  const chain = "add chain ip lab postrouting { type nat hook postrouting priority 0; }";
  await runChecked(node, ["nft", "-f", "-"], `add table ip lab\n${chain}\ndelete table ip lab\n`);
  await setKernelValues(node, "1", ["netfilter/nf_conntrack_udp_timeout", "netfilter/nf_conntrack_udp_timeout_stream"]);
}

async function runBatch(space: Namespace, lines: readonly string[], family?: Family): Promise<void> {
  const option = family === undefined ? [] : [family === "IPv4" ? "-4" : "-6"];
  await runChecked(space, ["ip", ...option, "-batch", "-"], `${lines.join("\n")}\n`);
}

/** `tee` writes one value to several files in one process; the network part of /proc/sys is the writer's own. */
async function setKernelValues(space: Namespace, value: string, names: readonly string[]): Promise<void> {
  await runChecked(space, ["tee", ...names.map((name) => `/proc/sys/net/${name}`)], `${value}\n`);
}
