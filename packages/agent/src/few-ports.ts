import { type Finding, formatPortRange, type PortRange } from "@ip-masq-agent/core";

/** With fewer source ports than this, a warning. */
const leastPorts = 1_000;

/** The warning about --to-ports where it leaves few ports; empty: the kernel chooses from all. */
export function fewPorts(ports: readonly PortRange[]): readonly Finding[] {
  const count = distinctPorts(ports);
  if (ports.length === 0 || count >= leastPorts) return [];
  return [
    {
      severity: "warning",
      code: "few-ports",
      file: "--to-ports",
      value: ports.map(formatPortRange).join(","),
      reason: `has ${count === 1 ? "1 port" : `${count} ports`} in all, and each connection to one destination (address, port, protocol) takes one: when they are used up, new connections to it fail`,
      remedy: `give at least ${leastPorts} ports, or leave it empty for the kernel's choice`,
    },
  ];
}

/** Ranges may overlap, and a port is there but once. */
function distinctPorts(ports: readonly PortRange[]): number {
  let [count, next] = [0, 0];
  for (const { first, last } of ports.toSorted((a, b) => a.first - b.first)) {
    count += Math.max(0, last - Math.max(first, next) + 1);
    next = Math.max(next, last + 1);
  }
  return count;
}
