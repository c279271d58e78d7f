import type { Backend, Clock, Culprit, Family } from "@ip-masq-agent/core";

/** What the kernel's events are good for: a hint that rules of ours may have been changed. */
export interface KernelEvents extends AsyncDisposable {
  /** The backend, with its own writes announced, so that they are no news. */
  readonly backend: Backend;
}

export interface EventsOptions {
  readonly backend: Backend;
  readonly chain: string;
  readonly clock: Clock;
  onHint(family: Family, by: Culprit | undefined): void;
  onState(state: EventsState): void;
}

export type EventsState =
  | { readonly up: true }
  | { readonly up: false; readonly why: string; readonly retryInMs: number };

/** Listens to changes of this backend's rules. Undefined: the kernel tells of none (iptables-legacy), so looks must do. */
export async function listenToKernel(options: EventsOptions): Promise<KernelEvents | undefined> {
  const { backend, clock } = options;
  if (backend.name === "iptables-legacy") return undefined;
  const [{ ownTable, startMonitor }, { ownChains }] = await Promise.all([
    import("@ip-masq-agent/backend-nftables"),
    import("@ip-masq-agent/backend-iptables"),
  ]);
  const monitor = startMonitor({
    clock,
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
    backend: {
      ...backend,
      // The kernel tells of each transaction of a plan by itself; they stand apart by an empty line.
      apply: (plan, signal, onStep) =>
        announced(plan.family, plan.transaction.split("\n\n").length, () => backend.apply(plan, signal, onStep)),
    },
    [Symbol.asyncDispose]: () => monitor[Symbol.asyncDispose](),
  };
}
