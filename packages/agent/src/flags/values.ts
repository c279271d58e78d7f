import { type PortRange, parseAddress, parseDuration } from "@ip-masq-agent/core";
import type { ListenAddress } from "../http/listen.ts";
import type { ConfigMapName } from "./flag.ts";

/** Why a flag's value is refused, and what to write instead. */
export interface ValueProblem {
  readonly reason: string;
  readonly remedy: string;
}

export type Checked<T> = { readonly value: T } | ValueProblem;

/** Names that iptables takes for targets or has as chains of nat: a chain called so cannot be made, or would loop. */
const takenNames: ReadonlySet<string> = new Set(
  (
    "ACCEPT DROP QUEUE RETURN standard PREROUTING INPUT FORWARD OUTPUT POSTROUTING AUDIT CHECKSUM CLASSIFY CLUSTERIP " +
    "CONNMARK CONNSECMARK CT DNAT DNPT DSCP ECN HL HMARK IDLETIMER LED LOG MARK MASQUERADE NETMAP NFLOG NFQUEUE " +
    "NOTRACK RATEEST REDIRECT REJECT SECMARK SET SNAT SNPT SYNPROXY TCPMSS TCPOPTSTRIP TEE TOS TPROXY TRACE TTL ULOG"
  ).split(" "),
);

/** A chain name that every iptables since 1.8 accepts, and that cannot break out of a line of its input. */
export function parseChain(text: string): Checked<string> {
  const bytes = Buffer.byteLength(text);
  const remedy = "use 1 to 28 letters, digits, - or _, for example IP-MASQ-AGENT";
  if (bytes === 0) return { reason: "is empty", remedy };
  if (bytes > 28) return { reason: `has ${bytes} bytes, and iptables takes at most 28`, remedy };
  if (/^[-!]/.test(text)) return { reason: `begins with ${text[0]}, which iptables takes for an option`, remedy };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to refuse
  if (/[\s\u0000-\u001f\u007f"'\\]/.test(text))
    return { reason: "has a space, a quote or a control character in it", remedy };
  if (takenNames.has(text)) return { reason: "is the name of a built-in chain or of a target", remedy };
  if (/^IPMASQ-(?:TRANSLATE|[0-9a-f]{8}-\d{1,2}|[0-9a-f]{20})$/.test(text)) {
    return { reason: "is what a chain of the tree below it may be called", remedy };
  }
  return { value: text };
}

/** `1024-29999,32768-65535`; empty: none. */
export function parsePorts(text: string): Checked<readonly PortRange[]> {
  if (text === "") return { value: [] };
  const ranges: PortRange[] = [];
  for (const part of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    const remedy = "write ports or ranges from 1 to 65535 with commas and no spaces, as 1024-29999,32768-65535";
    if (match === null)
      return { reason: `has the part ${JSON.stringify(part)}, which is no port and no range`, remedy };
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (first < 1 || last < 1)
      return { reason: `has port 0 in ${JSON.stringify(part)}, which no flow can have`, remedy };
    if (first > 65535 || last > 65535) return { reason: `has a port above 65535 in ${JSON.stringify(part)}`, remedy };
    if (first > last) return { reason: `has the range ${JSON.stringify(part)}, whose end is before its start`, remedy };
    ranges.push({ first, last });
  }
  return { value: ranges };
}

/** Least time between two resyncs, as for `resyncInterval` in the config. */
const shortestIntervalMs = 100;

/** A Go duration, or whole seconds as Azure's agent takes them. */
export function parseInterval(text: string): Checked<number> {
  const remedy = "write a Go duration of at least 100ms, as 30s, 1m30s or 500ms";
  const duration = /^\d+$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (typeof duration !== "number") return { reason: duration.reason, remedy };
  if (duration < shortestIntervalMs) return { reason: "is shorter than 100ms", remedy };
  return { value: duration };
}

/** `:10266`, `127.0.0.1:10266`, `[::1]:10266`; empty: off. */
export function parseListenAddress(text: string): Checked<ListenAddress | undefined> {
  if (text === "") return { value: undefined };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    return {
      reason: "is not an address with a port",
      remedy: "write :10266, 127.0.0.1:10266 or [::1]:10266; empty for none",
    };
  }
  const host = match[1] ?? match[2] ?? "";
  return { value: { host: host === "" ? undefined : host, port } };
}

/** One of a few words. */
export function parseChoice<T extends string>(choices: readonly T[]): (text: string) => Checked<T> {
  return (text) => {
    const value = choices.find((choice) => choice === text);
    return value === undefined
      ? { reason: "is not one of the choices", remedy: `use ${choices.join(", ")}` }
      : { value };
  };
}

/** A whole number as Go's `flag.Int` takes it. */
export function parseInteger(text: string): Checked<number> {
  return /^[+-]?(?:0[xX][0-9a-fA-F]+|\d{1,18})$/.test(text)
    ? { value: Number(text.replace(/^[+]/, "")) }
    : { reason: "is not a whole number", remedy: "write digits, as 2" };
}

/** An address of a sender; empty: none given. */
export function parseHost(text: string): Checked<string | undefined> {
  if (text === "") return { value: undefined };
  return parseAddress(text) === undefined
    ? { reason: "is not an address", remedy: "write an IPv4 or IPv6 address, as 10.244.1.5 or fd00::5" }
    : { value: text };
}

/** A protocol by its name; empty: none given. */
export function parseProtocol(text: string): Checked<string | undefined> {
  if (text === "") return { value: undefined };
  return /^[a-z][a-z0-9-]*$/i.test(text)
    ? { value: text.toLowerCase() }
    : { reason: "is not the name of a protocol", remedy: "write tcp, udp, sctp, icmp or another name" };
}

/** A port from 1 to 65535; empty: none given. */
export function parsePort(text: string): Checked<number | undefined> {
  if (text === "") return { value: undefined };
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port >= 1 && port <= 65535
    ? { value: port }
    : { reason: "is not a port", remedy: "write a number from 1 to 65535" };
}

/** An object's name in a URL (RFC 1123, a subdomain, as Kubernetes has it). */
const objectName = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** `kube-system/ip-masq-agent`; empty: none. */
export function parseConfigMapName(text: string): Checked<ConfigMapName | undefined> {
  if (text === "") return { value: undefined };
  const [namespace = "", name = "", ...more] = text.split("/");
  return more.length === 0 && objectName.test(namespace) && objectName.test(name)
    ? { value: { namespace, name } }
    : { reason: "is not a namespace and a name", remedy: "write NAMESPACE/NAME, as kube-system/ip-masq-agent" };
}

/** A node's name; empty: not given. */
export function parseNodeName(text: string): Checked<string | undefined> {
  if (text === "") return { value: undefined };
  return objectName.test(text)
    ? { value: text }
    : { reason: "is no name of a node", remedy: "write it as kubectl get nodes shows it" };
}

/** A path; `what` names it in the remedy. */
export function parsePath(what: string): (text: string) => Checked<string> {
  return (text) => (text === "" ? { reason: "is empty", remedy: `name ${what}` } : { value: text });
}
