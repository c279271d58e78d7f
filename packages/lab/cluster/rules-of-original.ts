/** The rules of the Go original for a config, as it writes them, for `iptables-restore --noflush`. */
export function rulesOfOriginal(exempt: readonly string[]): string {
  const comment = "-m comment --comment";
  return [
    "*nat",
    ":IP-MASQ-AGENT - [0:0]",
    ...["169.254.0.0/16", ...exempt].map(
      (cidr) =>
        `-A IP-MASQ-AGENT ${comment} "ip-masq-agent: local traffic is not subject to MASQUERADE" -d ${cidr} -j RETURN`,
    ),
    `-A IP-MASQ-AGENT ${comment} "ip-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)" -j MASQUERADE --random-fully`,
    `-A POSTROUTING ${comment} "ip-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom IP-MASQ-AGENT chain" -m addrtype ! --dst-type LOCAL -j IP-MASQ-AGENT`,
    "COMMIT",
    "",
  ].join("\n");
}
