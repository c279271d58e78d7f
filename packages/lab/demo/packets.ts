import { type Decision, decide, formatPrefix, type Policy, parseAddress } from "@ip-masq-agent/core";
import type { Lab } from "../src/index.ts";
import { columns } from "./table.ts";

/** A dozen destinations, most of them where a prefix begins or ends. */
const destinations = [
  "8.8.8.8",
  "9.255.255.255",
  "10.0.0.0",
  "10.20.30.40",
  "11.0.0.1",
  "169.254.169.254",
  "172.31.255.255",
  "172.32.0.1",
  "192.168.7.7",
  "203.0.113.7",
  "2001:db8:1::1",
  "fd00:1::1",
  "2600::1",
];

/** Sends a packet from the pod to each destination and says what became of it; `agree` counts the foretold ones. */
export async function packetTable(
  lab: Lab,
  policy: Policy,
): Promise<{ readonly text: string; readonly agree: number; readonly of: number }> {
  const packets = destinations.map((destination) => ({
    family: destination.includes(":") ? ("IPv6" as const) : ("IPv4" as const),
    destination,
  }));
  const arrivals = await lab.send(packets);
  let agree = 0;
  const rows = packets.map(({ family, destination }, index) => {
    const own = policy[family];
    const decision = own && decide(own, { destination: parseAddress(destination)?.value ?? 0n, protocol: "udp" });
    const source = arrivals[index]?.source;
    const expected = decision?.verdict === "masquerade" ? lab.node[family] : lab.pod[family];
    if (source === expected) agree++;
    return [
      destination,
      nameOf(lab, source),
      decision === undefined ? "" : why(decision),
      source === expected ? "" : "  ← NOT as the policy says",
    ];
  });
  const heading = ["packet from the pod to", "left with the address", "why", ""];
  return { text: columns([heading, ...rows]), agree, of: rows.length };
}

function nameOf(lab: Lab, source: string | undefined): string {
  if (source === undefined) return "(did not arrive)";
  const whose = Object.values(lab.pod).includes(source)
    ? "pod"
    : Object.values(lab.node).includes(source)
      ? "node"
      : "?";
  return `${source} (${whose})`;
}

function why(decision: Decision): string {
  switch (decision.verdict) {
    case "local":
      return "the node's own address";
    case "exempt":
      return `exempt by ${formatPrefix(decision.by)}`;
    case "masquerade":
      return "not exempt, so masqueraded";
  }
}
