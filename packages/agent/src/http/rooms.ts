import type { Clock } from "@ip-masq-agent/core";
import type { Peer } from "./peer.ts";

/** A connection that was let in. */
export interface Guest {
  /** Its answer is being made: it is not sent away for another's sake. */
  answering(): boolean;
  /** Closes the connection at once. */
  sendAway(): void;
}

/** How many connections there may be at a time. */
export interface RoomLimits {
  /** From this node: the kubelet's probes, `status`. */
  readonly local: number;
  /** From everywhere else: Prometheus, and every pod. */
  readonly network: number;
  /** Of those, from one peer. */
  readonly perPeer: number;
  /** So many in a second from one peer that is not on this node. */
  readonly perPeerAndSecond: number;
}

/** Two rooms for connections: one for clients on this node, one for all others. Neither takes a place of the other. */
export interface Rooms {
  /**
   * Lets a connection in. Where there is no place, the one that has been there longest makes way: of the same peer if
   * that has all it may have, else of the peer that has most. A probe is answered in milliseconds, so what has been
   * there longest is idle. `begin` is called once it is in; undefined: refused.
   */
  enter(peer: Peer, begin: () => Guest): Guest | undefined;
  leave(guest: Guest): void;
}

const windowMs = 1_000;
/** Peers whose connections of one second are counted; with more of them about, new ones are refused until it is over. */
const mostPeers = 1_024;

export function createRooms(limits: RoomLimits, clock: Clock): Rooms {
  /** In the order of their coming. */
  const guests = new Map<Guest, Peer>();
  const came = new Map<string, number>();
  let windowEndsAt = Number.NEGATIVE_INFINITY;

  function comesTooOften(key: string): boolean {
    const now = clock.monotonic();
    if (now >= windowEndsAt) {
      came.clear();
      windowEndsAt = now + windowMs;
    }
    const times = came.get(key) ?? 0;
    if (times >= limits.perPeerAndSecond || (times === 0 && came.size >= mostPeers)) return true;
    came.set(key, times + 1);
    return false;
  }

  /** Those of whom one must go before the peer can enter; none: there is a place. */
  function crowdAround(peer: Peer): readonly Guest[] {
    const room = [...guests].filter(([, other]) => other.local === peer.local);
    const byKey = Map.groupBy(room, ([, { key }]) => key);
    const own = byKey.get(peer.key) ?? [];
    const guestsOf = (entries: typeof room) => entries.map(([guest]) => guest);
    if (peer.local) return room.length < limits.local ? [] : guestsOf(room);
    if (own.length >= limits.perPeer) return guestsOf(own);
    if (room.length < limits.network) return [];
    return guestsOf([...byKey.values()].reduce((most, entries) => (entries.length > most.length ? entries : most)));
  }

  return {
    enter(peer, begin) {
      if (!peer.local && comesTooOften(peer.key)) return undefined;
      const crowd = crowdAround(peer);
      if (crowd.length > 0) {
        const idle = crowd.find((one) => !one.answering());
        if (idle === undefined) return undefined;
        guests.delete(idle);
        idle.sendAway();
      }
      const guest = begin();
      guests.set(guest, peer);
      return guest;
    },
    leave(guest) {
      guests.delete(guest);
    },
  };
}
