/**
 * Which rules of others concern a few packets only. Wrong in one direction is worse: a rule that is called narrow and is
 * not undoes the config unseen. So what is not known to be narrow is broad, and so is every match that is negated.
 */

/** Devices that lead to pods or containers of this node, and never out of it. A tunnel leads out, and is not here. */
const inside =
  /^(?:lo|docker0|br-[0-9a-f]{12}|cni0|cbr0|kube-bridge|virbr\d+|podman\d+|veth[^\s"]*|cali[^\s"]*|lxc[^\s"]*)$/;

/** By an option of iptables, as iptables-save spells it: whether this value leaves few packets. */
const byOption: Readonly<Record<string, (value: string) => boolean>> = {
  // Pods are single addresses too: a source says nothing, but for the node's own loopback.
  "-s": (value) => value.startsWith("127.") || value === "::1/128",
  "-d": (value) => /\/(?:32|128)$/.test(value),
  "-o": (value) => inside.test(value),
  "--mark": (value) => !/^0x0+(?:\/|$)/.test(value),
  "--ctstate": (value) => value === "DNAT",
  "--src-type": (value) => value === "LOCAL",
  "--dst-type": (value) => value === "LOCAL",
  "--uid-owner": () => true,
  ...Object.fromEntries(
    ["--dport", "--sport", "--dports", "--sports", "--ports"].map((option) => [option, () => true]),
  ),
};

/** A rule of iptables, without its comment. */
export function isNarrowRule(bare: string): boolean {
  const words = bare.split(" ").filter(Boolean);
  return words.some((word, at) => words[at - 1] !== "!" && byOption[word]?.(words[at + 1] ?? "") === true);
}

/** A rule as nft lists it, without its comment. */
export function isNarrowStatement(bare: string): boolean {
  const device = /\boif(?:name)? "?([^"\s]+)/.exec(bare)?.[1];
  return (
    (device !== undefined && inside.test(device)) ||
    hasMark(bare) ||
    /\b[ds]port (?!!=)/.test(bare) ||
    /\bdaddr (?:[\d.]+|[\da-f]*:[\da-f:.]*)(?:\/(?:32|128))?(?=\s|$)/.test(bare) ||
    /\bsaddr (?:127\.|::1\s)/.test(bare) ||
    /\bct status (?:& )?dnat\b/.test(bare) ||
    /\bfib [ds]addr type local\b/.test(bare) ||
    /\bskuid (?!!=)/.test(bare)
  );
}

/** `mark 0x1`, or `mark & 0x1 != 0x0`; but not `mark 0x0` or `mark & 0x1 != 0x1`, which nearly all packets meet. */
function hasMark(bare: string): boolean {
  const [, not, value] = /\bmark (?:(?:&|and) 0x[\da-f]+ )?(?:==|(!=))? ?(0x[\da-f]+)/.exec(bare) ?? [];
  return value !== undefined && (not === undefined) === (Number.parseInt(value, 16) !== 0);
}

/** Docker's own masquerade, of either kind: for what is on its bridge. Pods are there only where they were put there. */
export function dockerBridgeOf(bare: string): string | undefined {
  if (!/(?:^| )-s |\bsaddr /.test(bare)) return undefined;
  return /(?:! -o |\boif(?:name)? != ")(docker0|br-[0-9a-f]{12})\b/.exec(bare)?.[1];
}
