import assert from "node:assert/strict";
import type { Family } from "../address/family.ts";
import { readAddress } from "../address/kernel-text.ts";
import { decide } from "../policy/explain.ts";
import type { FamilyPolicy } from "../policy/policy.ts";
import type { Arrival, TestNetwork, TestPacket } from "./network.ts";
import { insideAddress, outsideAddress } from "./policies.ts";
import type { Trial } from "./trial.ts";

/** The network of a test that sends packets. */
export function networkOf({ subject }: Trial): TestNetwork {
  assert.ok(subject.network, "the subject has no network, and limits.packets does not say why");
  return subject.network;
}

/** Sends the packets, and compares what became of each with what the policy says. */
export async function assertDecisions(
  trial: Trial,
  policy: FamilyPolicy,
  packets: readonly TestPacket[] = samplePackets(policy.family),
): Promise<readonly (Arrival | undefined)[]> {
  const network = networkOf(trial);
  const arrivals = await network.send(packets);
  assert.deepEqual(
    packets.map((packet, index) => `${packet.destination}: ${verdict(network, packet, arrivals[index])}`),
    packets.map((packet) => `${packet.destination}: ${expected(policy, packet)}`),
  );
  return arrivals;
}

/** One packet that sample policies exempt and one that they do not. */
export function samplePackets(family: Family): readonly TestPacket[] {
  return [insideAddress[family], outsideAddress[family]].map((destination) => ({ family, destination }));
}

/** What the network did, in the words of a decision; anything else is told as it is. */
export function verdict(network: TestNetwork, { family }: TestPacket, arrival: Arrival | undefined): string {
  if (arrival === undefined) return "did not arrive";
  if (arrival.source === network.pod[family]) return "exempt";
  return arrival.source === network.node[family] ? "masquerade" : `arrived from ${arrival.source}`;
}

function expected(policy: FamilyPolicy, { family, destination, protocol = "udp" }: TestPacket): string {
  const address = readAddress(family, destination);
  assert.ok(address !== undefined, `${destination} is not an ${family} address`);
  return decide(policy, { destination: address, protocol }).verdict;
}
