import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { SavedNat } from "./saved-rules.ts";

/** What the original and we begin the comments of our rules with. */
const commentPrefix = "ip-masq-agent:";
const originalsChain = "IP-MASQ-AGENT";
/** Of GKE's node set-up script. While rules lead there, it counts as a foreign one. */
const scriptsChain = "IP-MASQ";

/** Chains that an agent wrote under another name than `ourChain`: known by their comments, or by the original's name. */
export function formerChains({ chains, rules }: SavedNat, ourChain: string): ReadonlySet<string> {
  const marked = rules
    .filter(({ comment }) => comment.startsWith(commentPrefix))
    .map(({ chain, target }) => (chain === "POSTROUTING" ? target : chain));
  const isOthers = (name: string) =>
    chains.has(name) && name !== ourChain && name !== "POSTROUTING" && !/^(?:IPMASQ|KUBE)-/.test(name);
  return new Set([...marked, originalsChain].filter(isOthers));
}

/** Stale chains, in one table of iptables: those that still decide, and those that only lie there. */
export function leftovers(nat: SavedNat, table: string, ourChain: string): readonly Diagnosis[] {
  const led = new Set(nat.rules.map(({ target }) => target));
  const former = [...formerChains(nat, ourChain)].map((chain) =>
    led.has(chain)
      ? trouble(
          "warning",
          "leftovers",
          `${table}: the chain ${chain} is of an agent under another --masq-chain (here: ${ourChain}), and rules lead to it`,
          "what it does not exempt is masqueraded, whatever our config says",
          "stop the other agent, if there is one; an agent of this --masq-chain removes the chain at its start, as ip-masq-agent cleanup does",
        )
      : unused(table, chain),
  );
  const idle = [scriptsChain, ourChain].filter((chain) => nat.chains.has(chain) && !led.has(chain));
  return [...former, ...idle.map((chain) => unused(table, chain))];
}

function unused(table: string, chain: string): Diagnosis {
  return note("info", "leftovers", `${table}: the chain ${chain} is there, but no rule leads to it: it does nothing`);
}
