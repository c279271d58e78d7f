import type { Culprit, Family } from "@ip-masq-agent/core";

/** What `nft monitor` told of, up to the end of one transaction. */
export interface KernelChange {
  readonly families: ReadonlySet<Family>;
  /** Who did it: nft names the process since 0.9.1; its id is the host's, whatever namespace we are in. */
  readonly by?: Culprit;
}

export interface EventReader {
  /** Takes a piece of output, cut anywhere. */
  take(text: string): void;
}

export interface EventListener {
  /** Which family's rules of ours a line tells of; undefined: none. Sees the first 200 characters of it. */
  concerns(line: string): Family | undefined;
  onChange(change: KernelChange): void;
  /** The kernel had more to tell than nft could take: anything may have changed. */
  onLoss(): void;
}

/** So much of a line is looked at and kept: a set's elements all come on one line, of any length. */
const headLength = 200;

/**
 * Reads the text of `nft monitor` (1.0.6 to 1.1.7): lines that tell of objects, and at the end of each transaction
 * `# new generation 7 by process 1234 (nft)`. Keeps no more than the head of one line.
 */
export function createEventReader(listener: EventListener): EventReader {
  let head = "";
  let families = new Set<Family>();

  function line(text: string): void {
    if (text.startsWith("#")) {
      if (text.startsWith("# ERROR")) listener.onLoss();
      else if (text.startsWith("# new generation ")) generation(text);
      return;
    }
    const family = listener.concerns(text);
    if (family !== undefined) families.add(family);
  }

  function generation(text: string): void {
    if (families.size === 0) return;
    const [, pid, process] = / by process (\d+) \((.*)\)/.exec(text) ?? [];
    const change = { families, ...(process !== undefined && { by: { process, pid: Number(pid) } }) };
    families = new Set();
    listener.onChange(change);
  }

  return {
    take(text) {
      let from = 0;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
        line(`${head}${text.slice(from, Math.min(end, from + headLength))}`.slice(0, headLength));
        head = "";
        from = end + 1;
      }
      if (head.length < headLength) head += text.slice(from, from + headLength - head.length);
    },
  };
}

/** Lines that tell of our own table: `add rule ip ip-masq-agent postrouting …`, `delete table ip6 ip-masq-agent`. */
export function concernsOwnTable(line: string): Family | undefined {
  const [, family] = /^\S+ \S+ (ip6?) ip-masq-agent(?: |$)/.exec(line) ?? [];
  return family === undefined ? undefined : family === "ip" ? "IPv4" : "IPv6";
}
