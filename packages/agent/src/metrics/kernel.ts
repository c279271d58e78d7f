import type { Clock, Counters, Family, ReconcileEvent } from "@ip-masq-agent/core";
import { Counter, type Registry } from "prom-client";

/** Reads the kernel's counters now; undefined where it cannot. */
export type ReadCounters = (family: Family) => Promise<Counters | undefined>;

/** A scrape closer than this to the last reading is answered from that: many scrapers must not mean many processes. */
const freshMs = 5_000;

/** The kernel's own counters, which restart whenever rules are rewritten, as counters that do not. */
export function kernelMetrics(
  registry: Registry,
  clock: Clock,
): {
  /** Starts reading at each scrape. */
  expect(families: readonly Family[], read: ReadCounters): void;
  onEvent(event: ReconcileEvent): void;
  /** To be awaited before the registry is printed. */
  refresh(): Promise<void>;
} {
  const registers = [registry];
  const labelNames = ["ip_family"];
  const masqueraded = new Counter({
    name: "ip_masq_agent_masqueraded_connections_total",
    help: "New connections that were given the node's address, as the kernel counted them.",
    labelNames,
    registers,
  });
  const exempt = new Counter({
    name: "ip_masq_agent_exempt_connections_total",
    help: "New connections to exempt destinations, as the kernel counted them.",
    labelNames,
    registers,
  });
  // NAT rules see the first packet of a connection only: these three promise more than they count. They go after 0.2.
  const packets = new Counter({
    name: "ip_masq_agent_masqueraded_packets_total",
    help: "Deprecated: the same as ip_masq_agent_masqueraded_connections_total.",
    labelNames,
    registers,
  });
  const bytes = new Counter({
    name: "ip_masq_agent_masqueraded_bytes_total",
    help: "Deprecated: bytes of the first packet of each masqueraded connection, not the connections' traffic.",
    labelNames,
    registers,
  });
  const exemptPackets = new Counter({
    name: "ip_masq_agent_exempt_packets_total",
    help: "Deprecated: the same as ip_masq_agent_exempt_connections_total.",
    labelNames,
    registers,
  });
  const all = [masqueraded, exempt, packets, bytes, exemptPackets];
  const last = new Map<Family, Counters>();
  let sources: { readonly families: readonly Family[]; readonly read: ReadCounters } | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  function take(family: Family, now: Counters): void {
    const before = last.get(family);
    last.set(family, now);
    const labels = { ip_family: family };
    const connections = increase(before?.masqueradedPackets, now.masqueradedPackets);
    const exempted = increase(before?.exemptPackets, now.exemptPackets);
    for (const counter of [masqueraded, packets]) counter.inc(labels, connections);
    for (const counter of [exempt, exemptPackets]) counter.inc(labels, exempted);
    bytes.inc(labels, increase(before?.masqueradedBytes, now.masqueradedBytes));
  }

  async function readAll(): Promise<void> {
    await Promise.all(
      (sources?.families ?? []).map(async (family) => {
        const counters = await sources?.read(family);
        if (counters) take(family, counters);
      }),
    );
    readAt = clock.monotonic();
    reading = undefined;
  }

  return {
    expect(families, read) {
      sources = { families, read };
      for (const ip_family of families) for (const counter of all) counter.inc({ ip_family }, 0);
    },
    onEvent(event) {
      if (event.type !== "synced") return;
      for (const counters of event.readings) take(event.family, counters);
    },
    async refresh() {
      if (clock.monotonic() - readAt < freshMs) return;
      reading ??= readAll();
      await reading;
    },
  };
}

/** A reading below the last one is a counter that began anew. */
function increase(before = 0, now = 0): number {
  return now < before ? now : now - before;
}
