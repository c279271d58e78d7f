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
  const packets = new Counter({
    name: "ip_masq_agent_masqueraded_packets_total",
    help: "First packets of flows that were given the node's address, as the kernel counted them.",
    labelNames,
    registers,
  });
  const bytes = new Counter({
    name: "ip_masq_agent_masqueraded_bytes_total",
    help: "Bytes of first packets of flows that were given the node's address, as the kernel counted them.",
    labelNames,
    registers,
  });
  const exempt = new Counter({
    name: "ip_masq_agent_exempt_packets_total",
    help: "First packets of flows to exempt destinations, as the kernel counted them.",
    labelNames,
    registers,
  });
  const last = new Map<Family, Counters>();
  let sources: { readonly families: readonly Family[]; readonly read: ReadCounters } | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  function take(family: Family, now: Counters): void {
    const before = last.get(family);
    last.set(family, now);
    const labels = { ip_family: family };
    packets.inc(labels, increase(before?.masqueradedPackets, now.masqueradedPackets));
    bytes.inc(labels, increase(before?.masqueradedBytes, now.masqueradedBytes));
    exempt.inc(labels, increase(before?.exemptPackets, now.exemptPackets));
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
      for (const ip_family of families) for (const counter of [packets, bytes, exempt]) counter.inc({ ip_family }, 0);
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
