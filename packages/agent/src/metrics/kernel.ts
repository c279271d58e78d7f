import type { Clock, Family, Reading, ReconcileEvent } from "@ip-masq-agent/core";
import { Counter, Gauge, type Registry } from "prom-client";

/** Reads the kernel's counters now; undefined where it cannot, or where a pass tells more. Never rejects. */
export type ReadCounters = (family: Family) => Promise<Reading | undefined>;

/** A scrape closer than this to the last reading is answered from that: many scrapers must not mean many processes. */
const freshMs = 5_000;

/** A scrape waits so long for a reading; Prometheus gives up after 10 s, and a tool that hangs takes longer. */
const waitMs = 1_000;

/** The kernel's own counters, which restart whenever rules are rewritten, as counters that do not. */
export function kernelMetrics(
  registry: Registry,
  clock: Clock,
): {
  /** Starts reading at each scrape. */
  expect(families: readonly Family[], read: ReadCounters): void;
  onEvent(event: ReconcileEvent): void;
  /** To be awaited before the registry is printed; takes at most 1 s. */
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
  const age = new Gauge({
    name: "ip_masq_agent_kernel_counters_age_seconds",
    help: "Time since the kernel's counters were last read; more than some seconds: the tool hangs or fails.",
    labelNames,
    registers,
  });
  const all = [masqueraded, exempt, packets, bytes, exemptPackets];
  const last = new Map<Family, Reading>();
  let sources: readonly Source[] = [];

  /**
   * A reading is taken only if it began after the last one taken had ended. Of two that overlap nobody knows which saw
   * the kernel first; taken in the wrong order, the lower one looks like a counter that began anew.
   */
  function take(family: Family, reading: Reading): void {
    const before = last.get(family);
    if (before !== undefined && reading.startedAt < before.endedAt) return;

    last.set(family, reading);
    const labels = { ip_family: family };
    const [then, now] = [before?.counters, reading.counters];
    const connections = increase(then?.masqueradedPackets, now.masqueradedPackets);
    const exempted = increase(then?.exemptPackets, now.exemptPackets);
    for (const counter of [masqueraded, packets]) counter.inc(labels, connections);
    for (const counter of [exempt, exemptPackets]) counter.inc(labels, exempted);
    bytes.inc(labels, increase(then?.masqueradedBytes, now.masqueradedBytes));
  }

  async function read(source: Source): Promise<void> {
    const reading = await source.read(source.family);
    if (reading !== undefined) take(source.family, reading);
    source.triedAt = clock.monotonic();
    source.running = undefined;
  }

  /** Waits for a reading until the time that its first scrape was given is over; a second scrape gets what is left. */
  async function wait({ running }: Source): Promise<void> {
    if (running === undefined) return;
    const left = running.since + waitMs - clock.monotonic();
    if (left <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = clock.timer(left, resolve);
    await Promise.race([running.end, promise]);
  }

  return {
    expect(families, readCounters) {
      sources = families.map((family) => ({
        ...{ family, read: readCounters, triedAt: Number.NEGATIVE_INFINITY, running: undefined },
      }));
      for (const ip_family of families) for (const counter of all) counter.inc({ ip_family }, 0);
    },
    onEvent(event) {
      if (event.type !== "synced") return;
      for (const reading of event.readings) take(event.family, reading);
    },
    async refresh() {
      const since = clock.monotonic();
      for (const source of sources) {
        if (source.running === undefined && since - source.triedAt >= freshMs)
          source.running = { since, end: read(source) };
      }
      await Promise.all(sources.map(wait));
      for (const [ip_family, { startedAt }] of last)
        age.set({ ip_family }, Math.max(0, clock.monotonic() - startedAt) / 1000);
    },
  };
}

/** One family's counters: each is read by one reader at a time, and a reader of one that hangs delays no other. */
interface Source {
  readonly family: Family;
  readonly read: ReadCounters;
  /** Monotonic milliseconds at which the last reading ended, well or not. */
  triedAt: number;
  running: { readonly since: number; readonly end: Promise<void> } | undefined;
}

/** A reading below the last one is a counter that began anew. */
function increase(before = 0, now = 0): number {
  return now < before ? now : now - before;
}
