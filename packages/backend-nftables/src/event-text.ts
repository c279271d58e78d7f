import type { Culprit, Family } from "@ip-masq-agent/core";
import { tableName } from "./names.ts";

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

/** How lines that tell of rules of ours are known. */
export interface Concern {
  /** A text in which none of these words stands tells of none of ours: so most of it need not be taken apart. */
  readonly words: readonly string[];
  /** Which family's rules of ours a line tells of; undefined: none. Sees the first 200 characters of it. */
  familyOf(line: string): Family | undefined;
}

export interface EventListener {
  readonly concern: Concern;
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
    const family = listener.concern.familyOf(text);
    if (family !== undefined) families.add(family);
  }

  function generation(text: string): void {
    if (families.size === 0) return;
    const [, pid, process] = / by process (\d+) \((.*)\)/.exec(text) ?? [];
    const change = { families, ...(process !== undefined && { by: { process, pid: Number(pid) } }) };
    families = new Set();
    listener.onChange(change);
  }

  /** Nothing of ours has begun, and nothing of ours is in it: 64 KiB of kube-proxy's rules in 20 µs. */
  function isForeign(text: string): boolean {
    if (families.size > 0) return false;
    const whole = `${head}${text}`;
    return !listener.concern.words.some((word) => whole.includes(word)) && !whole.includes("# ERROR");
  }

  return {
    take(text) {
      let from = isForeign(text) ? text.lastIndexOf("\n") + 1 : 0;
      if (from > 0) head = "";
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
export const ownTable: Concern = {
  words: [` ${tableName}`],
  familyOf(line) {
    const [, family] = /^\S+ \S+ (ip6?) ip-masq-agent(?: |$)/.exec(line) ?? [];
    return family === undefined ? undefined : family === "ip" ? "IPv4" : "IPv6";
  },
};
