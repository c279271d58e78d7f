import type { Family } from "@ip-masq-agent/core";
import { chooseBackend } from "../choose.ts";
import type { Answered } from "../kernel/tool.ts";
import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";
import { few, type Grouped } from "./few.ts";
import { nftTable } from "./foreign-nft.ts";
import { formerChains, leftovers } from "./leftovers.ts";
import { dockerBridgeOf, isNarrowRule } from "./narrow.ts";
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
  { name: "a CNI plugin's ipMasq", of: /^CNI-[0-9a-f]+$/, remedy: 'set "ipMasq": false in /etc/cni/net.d' },
];

const changesSource = new Set(["MASQUERADE", "SNAT", "NETMAP"]);

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
  const answer = await save(node, variant, family);
  if ("failure" in answer) return [note("info", "foreign rules", `${name}'s are not known: ${answer.failure}`)];
  if (answer.stdout.includes("incompatible")) {
    const nftName = family === "IPv4" ? "ip nat" : "ip6 nat";
    return [
      trouble(
        "warning",
        "foreign rules",
        `${name} cannot read the nat table: somebody has written to it with nft`,
        "kube-proxy and this agent cannot use iptables-nft on this node as long as that is so",
        `look at it with nft list table ${nftName}, and move those rules to a table of their own`,
      ),
      // iptables prints no rule of such a table, but nft does.
      ...(await nftTable(node, nftName, (chain) => isKnown(chain, node.options.masqChain))),
    ];
  }
  const place = / -j ACCEPT$/m.test(answer.stdout) ? await ourPlace(node, variant) : "elsewhere";
  const found = diagnose(answer.stdout, name, node.options.masqChain, place);
  return found.length > 0 ? found : [note("ok", "foreign rules", `${name}: none that concern ours`)];
}

/**
 * Where a distribution has no tool with the variant in its name, the one without it does, if it says that it is of this
 * variant; before iptables 1.8 it says nothing, and is legacy.
 */
async function save({ ask }: Node, variant: Variant, family: Family): Promise<Answered> {
  const prefix = family === "IPv4" ? "iptables" : "ip6tables";
  const answer = await ask(`${prefix}-${variant}-save`, ["-t", "nat"]);
  if ("stdout" in answer || !answer.failure.endsWith("is not in PATH")) return answer;
  const version = await ask(`${prefix}-save`, ["--version"]);
  if ("failure" in version || version.stdout.includes("(nf_tables)") !== (variant === "nft")) return answer;
  return ask(`${prefix}-save`, ["-t", "nat"]);
}

/** Whether the agent would write to this variant, where it has not written yet. */
async function ourPlace({ options, signal }: Node, variant: Variant): Promise<Place> {
  const { backend: choice, masqChain: chain } = options;
  const chosen = await chooseBackend(choice, { chain }, signal).catch(() => undefined);
  return chosen?.backend.name === `iptables-${variant}` ? "here" : "elsewhere";
}

/** Only looking with a legacy tool would load the legacy modules. */
async function hasLegacyNat({ read }: Node, family: Family): Promise<boolean> {
  const file = family === "IPv4" ? "/proc/net/ip_tables_names" : "/proc/net/ip6_tables_names";
  return ((await read(file)) ?? "").split("\n").includes("nat");
}

/** Where our rules go, as long as this table shows none: an ACCEPT ends its own table only. */
type Place = "here" | "elsewhere";

/** What a saved nat table holds that undoes or pre-empts the rules behind `ourChain`, and what earlier agents left. */
export function diagnose(
  saved: string,
  table: string,
  ourChain: string,
  place: Place = "elsewhere",
): readonly Diagnosis[] {
  const nat = parseNat(saved);
  const former = formerChains(nat, ourChain);
  const rules = reachable(nat, (chain) => former.has(chain) || isKnown(chain, ourChain));
  const ourJump = rules.findIndex(({ target }) => isOurs(target, ourChain));
  // What comes after our jump cannot keep a packet from it; a jump still to be made goes last.
  const end = ourJump >= 0 ? ourJump : place === "here" ? rules.length : 0;
  const foreign = rules.flatMap((rule, at): readonly Grouped[] => {
    if (rule.comment.startsWith("ip-masq-agent:")) return [];
    const group = `${rule.target} ${rule.chain.replace(/^CNI-[0-9a-f]+$/, "CNI-")}`;
    if (changesSource.has(rule.target)) return [{ group, diagnosis: sourceChanged(rule, table) }];
    if (rule.target === "ACCEPT" && at < end) return [{ group, diagnosis: accepted(rule, table) }];
    return [];
  });
  return [...leftovers(nat, table, ourChain), ...few(foreign)];
}

function isOurs(chain: string, ourChain: string): boolean {
  return chain === ourChain || chain.startsWith("IPMASQ-");
}

/** kube-proxy's chains masquerade what it has marked, and nothing else. */
function isKnown(chain: string, ourChain: string): boolean {
  return isOurs(chain, ourChain) || chain.startsWith("KUBE-");
}

function sourceChanged(rule: SavedRule, table: string): Diagnosis {
  const writer = writers.find(({ of }) => of.test(rule.chain) || of.test(rule.comment));
  const what = `${table}: ${rule.chain} ${rule.text}`;
  if (writer === undefined) {
    const bridge = dockerBridgeOf(rule.bare);
    if (isNarrowRule(rule.bare)) return note("info", "foreign rules", `${what} (for some packets only)`);
    if (bridge !== undefined) return note("info", "foreign rules", `${what} (Docker's, for containers on ${bridge})`);
  }
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
