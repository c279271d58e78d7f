import { expect, test } from "vitest";
import { ownChains } from "./event-text.ts";

test.each([
  ["add rule ip nat POSTROUTING counter jump OTHER", "IPv4"],
  ["delete rule ip6 nat IP-MASQ-AGENT handle 7", "IPv6"],
  ["delete chain ip nat IPMASQ-0a000000-8", "IPv4"],
  ["delete table ip nat", "IPv4"],
  ["add table ip nat { flags dormant; }", "IPv4"],
  ["add rule ip nat KUBE-SERVICES jump IP-MASQ-AGENT", undefined],
  ["add rule ip filter POSTROUTING accept", undefined],
  ["delete table ip ip-masq-agent", undefined],
  ["add chain ip nat IP-MASQ-AGENT-2", undefined],
])("%s: %s", (line, family) => {
  expect(ownChains("IP-MASQ-AGENT").familyOf(line)).toBe(family);
});
