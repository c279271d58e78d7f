import { systemClock } from "@ip-masq-agent/core";
import { expect, test } from "vitest";
import { createRooms, type Guest } from "./rooms.ts";

const limits = { local: 2, network: 4, perPeer: 2, perPeerAndSecond: 3 };

/** Rooms whose guests are known by name: `address/number`. */
function open() {
  const clock = { ...systemClock, now: 0, monotonic: () => clock.now };
  const rooms = createRooms(limits, clock);
  const inside = new Map<string, Guest>();
  const busy = new Set<string>();
  let visits = 0;
  function come(key: string, local = false): string | undefined {
    const name = `${key}/${++visits}`;
    const guest = rooms.enter({ local, key }, () => ({
      answering: () => busy.has(name),
      sendAway: () => inside.delete(name),
    }));
    if (guest === undefined) return undefined;
    inside.set(name, guest);
    return name;
  }
  function go(name: string): void {
    const guest = inside.get(name);
    if (guest !== undefined) rooms.leave(guest);
    inside.delete(name);
  }
  return { clock, come, go, busy, names: () => [...inside.keys()] };
}

test("a peer that has all its places loses the oldest of them, and nobody else does", () => {
  const { come, names } = open();
  for (const key of ["a", "b", "b", "b"]) come(key);
  expect(names()).toEqual(["a/1", "b/3", "b/4"]);
});

test("where the room is full, the peer with most places loses its oldest", () => {
  const { come, names } = open();
  for (const key of ["a", "b", "b", "c", "d"]) come(key);
  expect(names()).toEqual(["a/1", "b/3", "c/4", "d/5"]);
});

test("a connection that is being answered is not sent away; where all are, a new one is refused", () => {
  const { come, busy, names } = open();
  come("a");
  busy.add("a/1");
  come("a");
  come("a");
  expect(names()).toEqual(["a/1", "a/3"]);
  busy.add("a/3");
  expect(come("a")).toBeUndefined();
  expect(names()).toEqual(["a/1", "a/3"]);
});

test("a peer comes so often in a second and no more; others are not concerned", () => {
  const { clock, come, go } = open();
  const visit = (key: string) => {
    const name = come(key);
    if (name !== undefined) go(name);
    return name !== undefined;
  };
  expect(["a", "a", "a", "a", "b"].map(visit)).toEqual([true, true, true, false, true]);
  clock.now = 999;
  expect(visit("a")).toBe(false);
  clock.now = 1_000;
  expect(visit("a")).toBe(true);
});

test("the node's own have a room of their own, as often as they come, whatever fills the other", () => {
  const { come, names } = open();
  for (const key of ["a", "b", "c", "d", "e", "f"]) come(key);
  for (let visit = 0; visit < 10; visit++) expect(come("127.0.0.1", true)).toBeDefined();
  expect(names().filter((name) => name.startsWith("127"))).toEqual(["127.0.0.1/15", "127.0.0.1/16"]);
  expect(names()).toHaveLength(6);
});

test("more peers in one second than are counted are refused until it is over", () => {
  const { clock, come, go } = open();
  for (let peer = 0; peer < 1_024; peer++) go(come(`peer${peer}`) ?? "");
  expect(come("another")).toBeUndefined();
  expect(come("peer7")).toBeDefined();
  clock.now = 1_000;
  expect(come("another")).toBeDefined();
});
