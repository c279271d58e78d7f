/** Whom connections are counted by. */
export interface Peer {
  /** The client is on this node: it came by a loopback address, or from the very address that it came to. */
  readonly local: boolean;
  /** An IPv4 address, or the first 64 bits of an IPv6 address: a host can have all the addresses of its /64. */
  readonly key: string;
}

/** Addresses as Node gives them; what is gone again before it was asked has none. */
export function peerOf(remoteAddress: string | undefined, localAddress: string | undefined): Peer {
  const client = plain(remoteAddress);
  const local = client === "::1" || client.startsWith("127.") || (client !== "" && client === plain(localAddress));
  return { local, key: client.includes(":") ? firstHalf(client) : client };
}

/** IPv4 clients of a socket that takes both are shown as `::ffff:192.0.2.1`. */
function plain(address = ""): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}

function firstHalf(address: string): string {
  const [left = "", right] = address.split("::");
  const before = left === "" ? [] : left.split(":");
  const after = right === undefined || right === "" ? [] : right.split(":");
  const zeros = right === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...Array<string>(zeros).fill("0"), ...after].slice(0, 4).join(":");
}
