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
  /** Which family's rules of ours a line tells of; undefined: none. Sees the first 200 characters of it. */
  familyOf(line: string): Family | undefined;
}

export interface EventListener {
  readonly concern: Concern;
  /** A transaction that changed rules of ours. */
  onChange(change: KernelChange): void;
  /** A transaction of which nft printed no line at all. It changed something, and may have changed rules of ours. */
  onUnattributed(by: Culprit | undefined): void;
  /** The kernel had more to tell than nft could take: anything may have changed. */
  onLoss(): void;
}

/** So much of a line is read and kept: a set's elements all come on one line, of any length. */
const headLength = 200;

/**
 * Reads the text of `nft monitor` (1.0.6 to 1.1.7): lines that tell of objects, and at the end of each transaction
 * `# new generation 7 by process 1234 (nft)`. Keeps no more than the head of one line.
 *
 * A generation without a line before it is a change of elements in a set that this nft has forgotten: it deletes a set
 * from its memory when a rule is deleted that names it, although the set is still in the kernel.
 */
export function createEventReader(listener: EventListener): EventReader {
  let head = "";
  let families = new Set<Family>();
  let anyLine = false;

  function line(text: string): void {
    if (text.startsWith("#")) {
      if (text.startsWith("# ERROR")) listener.onLoss();
      else if (text.startsWith("# new generation ")) generation(text);
      return;
    }
    if (text === "") return;
    anyLine = true;
    const family = listener.concern.familyOf(text);
    if (family !== undefined) families.add(family);
  }

  function generation(text: string): void {
    const [, pid, process] = / by process (\d+) \((.*)\)/.exec(text) ?? [];
    const by = process === undefined ? undefined : { process, pid: Number(pid) };
    const [concerned, told] = [families, anyLine];
    families = new Set();
    anyLine = false;
    if (concerned.size > 0) listener.onChange({ families: concerned, ...(by && { by }) });
    else if (!told) listener.onUnattributed(by);
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

const ownLine = new RegExp(`^\\S+ \\S+ (ip6?) ${tableName}(?: |$)`);

/** Lines that tell of our own table: `add rule ip ip-masq-agent postrouting …`, `delete table ip6 ip-masq-agent`. */
export const ownTable: Concern = {
  familyOf(line) {
    const [, family] = ownLine.exec(line) ?? [];
    return family === undefined ? undefined : family === "ip" ? "IPv4" : "IPv6";
  },
};
