import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";
import { few, type Grouped } from "./few.ts";
import { dockerBridgeOf, isNarrowStatement } from "./narrow.ts";

/** Tables whose rules are known: ours; iptables-nft's, looked at through iptables; kube-proxy's, for its marks only. */
const known = /^(?:ip6? (?:ip-masq-agent(?:-bridge)?|nat|kube-proxy)|(?:bridge|netdev|arp) .*)$/;

/**
 * Base chains of others at nat/postrouting that change sources. Only there: an `accept` in another table's chain ends
 * that chain, and the kernel goes on to ours (nf_nat_inet_fn). Each table is listed by its name: one that this nft
 * cannot read must not hide the others (kubernetes#136786).
 */
export const foreignNft: Check = {
  name: "foreign rules",
  async look(node) {
    const { names, troubles } = await tableNames(node);
    const concern = names.filter(
      (name) => !known.test(name) && (node.families.includes("IPv6") || !/^ip6 /.test(name)),
    );
    const listed = await Promise.all(concern.map((name) => nftTable(node, name)));
    const found = [...troubles, ...listed.flat()];
    return found.length > 0 ? found : [note("ok", "foreign rules", "nft: no other table changes sources")];
  },
};

/** Tables of programs that masquerade, by the names that they give them: for where the names cannot be listed. */
const likely = [
  ...["ip flannel-ipv4", "ip6 flannel-ipv6", "ip calico", "ip6 calico", "inet cilium", "inet kindnet-masq"],
  ...[
    "inet firewalld",
    "ip firewalld",
    "ip docker-bridges",
    "ip6 docker-bridges",
    "inet netavark",
    "ip libvirt_network",
  ],
];

async function tableNames({ ask }: Node): Promise<{
  readonly names: readonly string[];
  readonly troubles: readonly Diagnosis[];
}> {
  const answer = await ask("nft", ["list", "tables"]);
  if ("stdout" in answer) {
    return { names: [...answer.stdout.matchAll(/^table (\S+ .+)$/gm)].map(([, name = ""]) => name), troubles: [] };
  }
  if (!crashed.test(answer.failure)) {
    return { names: [], troubles: [note("info", "foreign rules", `nft tables are not known: ${answer.failure}`)] };
  }
  const told = trouble(
    "warning",
    "foreign rules",
    `this nft crashes on the names of tables: ${answer.failure}`,
    "a newer nft has written a table here that this one cannot read; only tables with well-known names are looked at (kubernetes#136786)",
    "install an nft as new as the newest on this node",
  );
  return { names: likely, troubles: [told] };
}

const crashed = /SIGSEGV|SIGABRT|Segmentation/;

/** What one table does to sources, or why that cannot be told. Rules in chains that `isKnown` are no news. */
export async function nftTable(
  { ask }: Node,
  name: string,
  isKnown: (chain: string) => boolean = () => false,
): Promise<readonly Diagnosis[]> {
  const answer = await ask("nft", ["--terse", "list", "table", ...name.split(" ")]);
  if ("stdout" in answer) return diagnoseTable(answer.stdout, name, isKnown);
  if (answer.failure.includes("No such file")) return [];
  return [
    trouble(
      "warning",
      "foreign rules",
      `this nft ${crashed.test(answer.failure) ? "crashes on" : "cannot read"} table ${name}: ${answer.failure}`,
      "what it does to packets is not known; a newer nft has probably written it (kubernetes#136786)",
      "install an nft as new as the newest on this node",
    ),
  ];
}

/** Rules that change sources, in chains of the table that hang at nat/postrouting or are reached from there. */
export function diagnoseTable(
  listing: string,
  name: string,
  isKnown: (chain: string) => boolean = () => false,
): readonly Diagnosis[] {
  const chains = chainsOf(listing);
  const regular = [...chains].filter(([, { hook }]) => hook === "").map(([chain]) => chain);
  const visited = new Set<string>();
  const walk = (chain: string, hook: string): readonly Grouped[] => {
    if (visited.has(chain) || isKnown(chain)) return [];
    visited.add(chain);
    return (chains.get(chain)?.rules ?? []).flatMap((rule): readonly Grouped[] => {
      const bare = withoutComment(rule);
      if (changesSource.test(bare)) return [{ group: chain, diagnosis: changes(rule, name, chain, hook) }];
      return nextChains(bare, regular).flatMap((next) => walk(next, hook));
    });
  };
  return few(
    [...chains].flatMap(([chain, { hook }]) => (/type nat hook postrouting/.test(hook) ? walk(chain, hook) : [])),
  );
}

/** nft's own words, and those for rules that iptables wrote. */
const changesSource = /\b(?:masquerade|snat)\b|xt target "(?:MASQUERADE|SNAT|NETMAP)"/;

/** Where a rule may lead. What a named map holds is not in a terse listing: any chain without a hook. */
function nextChains(bare: string, regular: readonly string[]): readonly string[] {
  if (/\bvmap @/.test(bare)) return regular;
  return [...bare.matchAll(/\b(?:jump|goto) ([^\s,}]+)/g)].map(([, chain = ""]) => chain);
}

function changes(rule: string, table: string, chain: string, hook: string): Diagnosis {
  const what = `nft table ${table}, chain ${chain}: ${rule}`;
  const bare = withoutComment(rule);
  const bridge = dockerBridgeOf(bare);
  if (isNarrowStatement(bare)) return note("info", "foreign rules", `${what} (for some packets only)`);
  if (bridge !== undefined) return note("info", "foreign rules", `${what} (Docker's, for containers on ${bridge})`);
  const priority = /priority ([^;]+);/.exec(hook)?.[1] ?? "unknown";
  return trouble(
    "warning",
    "foreign rules",
    what,
    `it gives packets another address that our config exempts: exempt ranges are not exempt, whether its priority (${priority}) comes before ours (srcnat + 20) or after`,
    "find the program that writes this table, and switch its masquerade off; this agent never touches it",
  );
}

/** What is between a rule's quotes is a comment or an interface, and no verb. */
function withoutComment(rule: string): string {
  return rule.replaceAll(/comment "[^"]*"/g, "");
}

interface ListedChain {
  readonly hook: string;
  readonly rules: readonly string[];
}

function chainsOf(listing: string): ReadonlyMap<string, ListedChain> {
  const chains = new Map<string, ListedChain>();
  for (const [, name = "", body = ""] of listing.matchAll(/^\tchain (\S+) \{\n([\s\S]*?)^\t\}$/gm)) {
    const lines = body
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
    const hook = lines.find((line) => line.startsWith("type ")) ?? "";
    chains.set(name, { hook, rules: lines.filter((line) => line !== hook) });
  }
  return chains;
}
