import type { Socket } from "node:net";
import type { Clock } from "@ip-masq-agent/core";
import type { Routes } from "./answer.ts";
import { type ExchangeLimits, serveOne } from "./exchange.ts";
import { type ListenAddress, listen } from "./listen.ts";
import { peerOf } from "./peer.ts";
import { createRooms, type RoomLimits } from "./rooms.ts";

export interface HttpServer extends AsyncDisposable {
  /** The port in use, also where 0 was asked for. */
  readonly port: number;
  /** Connections to 127.0.0.1 have a queue of their own in the kernel; see `listen`. */
  readonly ownLoopback: boolean;
}

export interface ServerLimits extends RoomLimits, ExchangeLimits {
  /** So many connections that were refused are kept open, unread, for so long: who comes again at once comes later. */
  readonly refused: number;
  readonly refusedMs: number;
}

/** docs/operating.md tells these. */
export const serverLimits: ServerLimits = {
  local: 32,
  network: 64,
  perPeer: 8,
  perPeerAndSecond: 20,
  refused: 128,
  refusedMs: 1_000,
  headMs: 5_000,
  answerMs: 10_000,
};

/**
 * Serves GET and HEAD of a few paths, one request to a connection. Rejects with `ListenError`.
 *
 * Every pod can reach a port of the node, so what a connection costs is bounded before anything is read from it: how
 * many there are, how often they come, what is kept of them and for how long.
 */
export async function startServer(
  address: ListenAddress,
  routes: Routes,
  clock: Clock,
  limits: ServerLimits = serverLimits,
): Promise<HttpServer> {
  const rooms = createRooms(limits, clock);
  const sockets = new Set<Socket>();
  const refused = new Set<Socket>();

  function onConnection(socket: Socket): void {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const peer = peerOf(socket.remoteAddress, socket.localAddress);
    const guest = rooms.enter(peer, () => serveOne({ socket, local: peer.local, routes, limits, clock }));
    if (guest === undefined) refuse(socket);
    else socket.once("close", () => rooms.leave(guest));
  }

  /** Reset, not closed: a closed connection would stay in the kernel for a minute. */
  function refuse(socket: Socket): void {
    socket.on("error", () => {});
    if (refused.size >= limits.refused) {
      socket.resetAndDestroy();
      return;
    }
    refused.add(socket);
    const timer = clock.timer(limits.refusedMs, () => socket.resetAndDestroy());
    socket.once("close", () => {
      timer[Symbol.dispose]();
      refused.delete(socket);
    });
  }

  const listening = await listen(address, onConnection);
  return {
    port: listening.port,
    ownLoopback: listening.ownLoopback,
    async [Symbol.asyncDispose]() {
      listening.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
