import type { BackendName } from "../src/backends.ts";

/** What other programs do to our rules, as commands in the node's namespace. */
export const tamperings: Readonly<Record<BackendName, readonly (readonly string[])[]>> = {
  nftables: [
    "nft delete element ip ip-masq-agent exempt { 10.0.0.0/8 }",
    "nft flush chain ip ip-masq-agent postrouting",
    "nft delete table ip ip-masq-agent",
    "nft flush ruleset",
  ].map(words),
  "iptables-nft": [
    "iptables-nft -t nat -D IP-MASQ-AGENT 1",
    "iptables-nft -t nat -F IP-MASQ-AGENT",
    "iptables-nft -t nat -F POSTROUTING",
    "iptables-nft -t nat -F",
  ].map(words),
  "iptables-legacy": [
    "iptables-legacy -w 5 -t nat -D IP-MASQ-AGENT 1",
    "iptables-legacy -w 5 -t nat -F IP-MASQ-AGENT",
    "iptables-legacy -w 5 -t nat -F POSTROUTING",
    "iptables-legacy -w 5 -t nat -F",
  ].map(words),
};

/** What takes every packet's masquerade away: for a writer that does nothing else. */
export const flushes: Readonly<Record<BackendName, string>> = {
  nftables: "nft flush chain ip ip-masq-agent postrouting",
  "iptables-nft": "iptables-nft -t nat -F IP-MASQ-AGENT",
  "iptables-legacy": "iptables-legacy -w 5 -t nat -F IP-MASQ-AGENT",
};

function words(command: string): readonly string[] {
  return command.split(" ");
}
