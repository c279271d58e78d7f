import type { Family } from "@ip-masq-agent/core";
import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";
import { parseNat, reachable, type SavedRule } from "./saved-rules.ts";

const variants = ["nft", "legacy"] as const;
type Variant = (typeof variants)[number];

/** What is known of rules by who writes them: by the chain or the comment that they have everywhere. */
const writers: readonly { readonly name: string; readonly of: RegExp; readonly remedy: string }[] = [
  { name: "flannel", of: /^FLANNEL-|flanneld masq/, remedy: "start flanneld without --ip-masq" },
  { name: "Calico", of: /^cali-|cali:/, remedy: "set natOutgoing: false in the IPPool" },
  {
    name: "Cilium",
    of: /^CILIUM_|cilium masquerade/,
    remedy: "set enable-ipv4-masquerade: false (and ipv6) in Cilium's config",
  },
  { name: "kindnet", of: /^KIND-MASQ-AGENT/, remedy: "use a CNI that leaves masquerade to this agent" },
  {
    name: "the kubelet's --non-masquerade-cidr",
    of: /(?:kubelet|kubenet): SNAT for outbound traffic/,
    remedy: "start the kubelet with --non-masquerade-cidr=0.0.0.0/0, then delete the rule",
  },
  {
    name: "GKE's node set-up script, for the original agent",
    of: /^IP-MASQ$|^IP-MASQ /,
    remedy: "delete the jump from POSTROUTING to IP-MASQ, then the chain",
  },
];

const changesSource = new Set(["MASQUERADE", "SNAT", "NETMAP"]);
/** Only for some packets: a mark, a protocol, one destination, one interface. Such rules are somebody's special case. */
const narrow = /(?:^| )-m mark |(?:^| )-p |(?:^|[^!] )-[do] \S/;

/** Rules of others in the nat table of iptables, of either variant, that undo ours. */
export const foreignIptables: Check = {
  name: "foreign rules",
  look: async (node) =>
    (
      await Promise.all(variants.flatMap((variant) => node.families.map((family) => tableOf(node, variant, family))))
    ).flat(),
};

async function tableOf(node: Node, variant: Variant, family: Family): Promise<readonly Diagnosis[]> {
  const name = `${family === "IPv4" ? "iptables" : "ip6tables"}-${variant}`;
  if (variant === "legacy" && !(await hasLegacyNat(node, family))) return [];
  const answer = await node.ask(`${name}-save`, ["-t", "nat"]);
  if ("failure" in answer) return [note("info", "foreign rules", `${name}'s are not known: ${answer.failure}`)];
  if (answer.stdout.includes("incompatible")) {
    return [
      trouble(
        "warning",
        "foreign rules",
        `${name} cannot read the nat table: somebody has written to it with nft`,
        "kube-proxy and this agent cannot use iptables-nft on this node as long as that is so",
        `look at it with nft list table ${family === "IPv4" ? "ip" : "ip6"} nat, and move those rules to a table of their own`,
      ),
    ];
  }
  const found = diagnose(answer.stdout, name, node.options.masqChain);
  return found.length > 0 ? found : [note("ok", "foreign rules", `${name}: none that concern ours`)];
}

/** Only looking with a legacy tool would load the legacy modules. */
async function hasLegacyNat({ read }: Node, family: Family): Promise<boolean> {
  const file = family === "IPv4" ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names";
  return ((await read(file)) ?? "").split("\n").includes("nat");
}

/** What a saved nat table holds that undoes or pre-empts the rules behind `ourChain`. */
export function diagnose(saved: string, table: string, ourChain: string): readonly Diagnosis[] {
  const isOurs = (chain: string) => chain === ourChain || chain.startsWith("IPMASQ-");
  const nat = parseNat(saved);
  const rules = reachable(nat, (chain) => isOurs(chain) || chain.startsWith("KUBE-"));
  const ourJump = rules.findIndex(({ target }) => isOurs(target));
  return rules.flatMap((rule, at): readonly Diagnosis[] => {
    if (rule.comment.startsWith("ip-masq-agent:")) return [];
    if (changesSource.has(rule.target)) return [sourceChanged(rule, table)];
    // What comes after our jump cannot keep a packet from it.
    if (rule.target === "ACCEPT" && at < ourJump) return [accepted(rule, table)];
    return [];
  });
}

function sourceChanged(rule: SavedRule, table: string): Diagnosis {
  const writer = writers.find(({ of }) => of.test(rule.chain) || of.test(rule.comment));
  const what = `${table}: ${rule.chain} ${rule.text}`;
  if (writer === undefined && narrow.test(rule.text))
    return note("info", "foreign rules", `${what} (for some packets only)`);
  return trouble(
    "warning",
    "foreign rules",
    writer === undefined ? what : `${what} (${writer.name})`,
    "it gives packets the node's address, or another, that our config exempts: exempt ranges are not exempt",
    writer?.remedy ?? "find the program that writes it, and switch its masquerade off; this agent never touches it",
  );
}

function accepted(rule: SavedRule, table: string): Diagnosis {
  const what = `${table}: ${rule.chain} ${rule.text}`;
  return trouble(
    "warning",
    "foreign rules",
    what,
    "packets that it accepts never come to our rules: they keep their address, exempt or not",
    "make it RETURN, or put it behind our jump",
  );
}
