import { createServer, type Server, type Socket } from "node:net";

/** Where to listen; without a host: everywhere, IPv6 and IPv4. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

export interface Listening {
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  /** Connections to 127.0.0.1 are taken, and have a queue of their own in the kernel. */
  readonly ownLoopback: boolean;
  /** Takes no more connections; those that there are go on. */
  close(): void;
}

/** The address cannot be had; the message names it and says what to do. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

const loopback = "127.0.0.1";
const everywhere: readonly (string | undefined)[] = [undefined, "::", "0.0.0.0"];

/**
 * Listens. Sockets are handed over paused. Rejects with `ListenError`.
 *
 * 127.0.0.1, where the kubelet's probes come, is listened at besides, where it can be had: a queue that pods have filled
 * drops the probes' connections otherwise, long before we see any, and the kernel gives a connection to the listener with
 * the nearest address. Beside a listener everywhere that takes SO_REUSEPORT, which the kernel grants to sockets of one
 * user only; and because two agents could then share a port without a word, the port is first taken alone.
 */
export async function listen(address: ListenAddress, onConnection: (socket: Socket) => void): Promise<Listening> {
  const alone = await openAnyFamily(address, false, onConnection);
  if (address.host === loopback) return { ...alone, ownLoopback: true };
  const { port } = alone;
  const shared = everywhere.includes(address.host);
  if (shared) alone.close();
  const given = shared ? await openAnyFamily({ ...address, port }, true, onConnection) : alone;
  const near = await open({ host: loopback, port }, shared, onConnection).catch(() => undefined);
  return {
    port,
    ownLoopback: near !== undefined,
    close() {
      given.close();
      near?.close();
    },
  };
}

type Opened = Omit<Listening, "ownLoopback">;

/** A node without IPv6 has no address "::". */
async function openAnyFamily(
  address: ListenAddress,
  reusePort: boolean,
  onConnection: (socket: Socket) => void,
): Promise<Opened> {
  try {
    return await open(address, reusePort, onConnection);
  } catch (cause) {
    if (address.host === undefined && codeOf(cause) === "EAFNOSUPPORT")
      return await open({ ...address, host: "0.0.0.0" }, reusePort, onConnection).catch(fail(address));
    return fail(address)(cause);
  }
}

async function open(
  { host, port }: ListenAddress,
  reusePort: boolean,
  onConnection: (socket: Socket) => void,
): Promise<Opened> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, onConnection);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: host ?? "::", port, exclusive: true, ...(reusePort && { reusePort }) }, resolve);
  await promise;
  server.off("error", reject);
  // A connection that cannot be accepted, at the limit of descriptors for one, is no reason to end.
  server.on("error", () => {});
  return { port: portOf(server) ?? port, close: () => server.close() };
}

function portOf(server: Server): number | undefined {
  const bound = server.address();
  return typeof bound === "object" && bound !== null ? bound.port : undefined;
}

function fail({ host, port }: ListenAddress): (cause: unknown) => never {
  return (cause) => {
    throw new ListenError(explain(`${host ?? ""}:${port}`, codeOf(cause), cause), { cause });
  };
}

function explain(address: string, code: string, cause: unknown): string {
  const set = "set --metrics-address to a free one, or to an empty value for none";
  if (code === "EADDRINUSE") return `--metrics-address ${address} is taken by another process (see: ss -ltnp); ${set}`;
  if (code === "EACCES")
    return `--metrics-address ${address} may not be used: ports below 1024 need NET_BIND_SERVICE; ${set}`;
  if (code === "EADDRNOTAVAIL") return `--metrics-address ${address} is no address of this node; ${set}`;
  return `--metrics-address ${address} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}; ${set}`;
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}
