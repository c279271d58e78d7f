import type { MonitorState } from "@ip-masq-agent/backend-nftables";
import type { Backend, Clock, Culprit, Family } from "@ip-masq-agent/core";

/** What the kernel's events are good for: a hint that rules of ours may have been changed. */
export interface KernelEvents extends AsyncDisposable {
  /** The backend, with its own writes announced, so that they are no news. */
  readonly backend: Backend;
  /** Memory in use by what listens, in bytes; undefined: nothing does, or that cannot be told. */
  residentBytes(): number | undefined;
}

export interface EventsOptions {
  readonly backend: Backend;
  readonly chain: string;
  readonly clock: Clock;
  onHint(family: Family, by: Culprit | undefined): void;
  onState(state: EventsState): void;
}

export type EventsState = MonitorState;

/**
 * In a flood of changes that cannot be attributed, reading the kernel takes one part in so many of the time. A second at
 * least, and no longer than until the usual resync.
 */
const readingShare = 20;
const unattributedMs = { least: 1_000, most: 60_000 } as const;

/** Listens to changes of this backend's rules. Undefined: the kernel tells of none (iptables-legacy), so looks must do. */
export async function listenToKernel(options: EventsOptions): Promise<KernelEvents | undefined> {
  const { backend, clock } = options;
  if (backend.name === "iptables-legacy") return undefined;
  const [{ ownTable, startMonitor }, { ownChains }] = await Promise.all([
    import("@ip-masq-agent/backend-nftables"),
    import("@ip-masq-agent/backend-iptables"),
  ]);
  let readingMs = 0;
  const monitor = startMonitor({
    clock,
    unattributedGapMs: () => Math.min(unattributedMs.most, Math.max(unattributedMs.least, readingShare * readingMs)),
    concern: backend.name === "nftables" ? ownTable : ownChains(options.chain),
    onChange({ families, by }) {
      for (const family of families) options.onHint(family, by);
    },
    onState: options.onState,
  });

  async function announced<T>(family: Family, transactions: number, write: () => Promise<T>): Promise<T> {
    const announcement = monitor.announce(family, transactions);
    try {
      const result = await write();
      announcement.written();
      return result;
    } catch (error) {
      announcement[Symbol.dispose]();
      throw error;
    }
  }

  return {
    residentBytes: monitor.residentBytes,
    backend: {
      ...backend,
      async observe(family, signal) {
        const started = clock.monotonic();
        const seen = await backend.observe(family, signal);
        readingMs = clock.monotonic() - started;
        return seen;
      },
      // The kernel tells of each transaction of a plan by itself; they stand apart by an empty line.
      apply: (plan, signal, onStep) =>
        announced(plan.family, plan.transaction.split("\n\n").length, () => backend.apply(plan, signal, onStep)),
    },
    [Symbol.asyncDispose]: () => monitor[Symbol.asyncDispose](),
  };
}
