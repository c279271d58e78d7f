/** A rule as iptables-save prints it. */
export interface SavedRule {
  readonly chain: string;
  /** Where it jumps or goes, or its verdict; empty: nowhere. */
  readonly target: string;
  readonly comment: string;
  /** The whole line behind the chain. */
  readonly text: string;
  /** The same without its comment, which may hold anything. */
  readonly bare: string;
}

export interface SavedNat {
  readonly chains: ReadonlySet<string>;
  readonly rules: readonly SavedRule[];
}

/** Reads the nat table of `iptables-save`, just as far as is needed to know what other programs do in it. */
export function parseNat(text: string): SavedNat {
  const chains = new Set<string>();
  const rules: SavedRule[] = [];
  for (const line of text.split("\n")) {
    const chain = /^:(\S+) /.exec(line)?.[1];
    if (chain !== undefined) chains.add(chain);
    const [, name, rest] = /^(?:\[\d+:\d+\] )?-A (\S+) ?(.*)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined) continue;
    const bare = rest.replaceAll(/--comment (?:"(?:[^"\\]|\\.)*"|\S+)/g, "");
    rules.push({
      chain: name,
      target: / ?-[jg] (\S+)/.exec(bare)?.[1] ?? "",
      comment: /--comment (?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(rest)?.slice(1).find(Boolean) ?? "",
      text: rest,
      bare,
    });
  }
  return { chains, rules };
}

/** Rules that packets on their way out can meet: those of POSTROUTING, and of the chains that it leads to, in that order. */
export function reachable({ rules }: SavedNat, skip: (chain: string) => boolean): readonly SavedRule[] {
  const byChain = Map.groupBy(rules, ({ chain }) => chain);
  const visited = new Set<string>();
  const walk = (chain: string): readonly SavedRule[] => {
    if (visited.has(chain) || skip(chain)) return [];
    visited.add(chain);
    return (byChain.get(chain) ?? []).flatMap((rule) => [rule, ...walk(rule.target)]);
  };
  return walk("POSTROUTING");
}
