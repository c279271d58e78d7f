import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";

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
    const listed = await Promise.all(names.filter((name) => !known.test(name)).map((name) => table(node, name)));
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

async function table({ ask }: Node, name: string): Promise<readonly Diagnosis[]> {
  const answer = await ask("nft", ["--terse", "list", "table", ...name.split(" ")]);
  if ("stdout" in answer) return diagnoseTable(answer.stdout, name);
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
export function diagnoseTable(listing: string, name: string): readonly Diagnosis[] {
  const chains = chainsOf(listing);
  const hooked = [...chains].filter(([, { hook }]) => /type nat hook postrouting/.test(hook)).map(([chain]) => chain);
  const visited = new Set<string>();
  const walk = (chain: string): readonly Diagnosis[] => {
    if (visited.has(chain)) return [];
    visited.add(chain);
    const rules = chains.get(chain)?.rules ?? [];
    return rules.flatMap((rule) => {
      const next = /\b(?:jump|goto) (\S+)$/.exec(rule)?.[1];
      if (next !== undefined) return walk(next);
      return /\b(?:masquerade|snat)\b/.test(withoutComment(rule)) ? [changes(rule, name, chain)] : [];
    });
  };
  return hooked.flatMap(walk);
}

function changes(rule: string, table: string, chain: string): Diagnosis {
  const what = `nft table ${table}, chain ${chain}: ${rule}`;
  const narrow = /\b(?:mark|dport|sport|l4proto)\b|\boif(?:name)? (?!!=)|\bdaddr (?!!=|@)/.test(withoutComment(rule));
  if (narrow) return note("info", "foreign rules", `${what} (for some packets only)`);
  return trouble(
    "warning",
    "foreign rules",
    what,
    "it gives packets another address that our config exempts: exempt ranges are not exempt",
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
