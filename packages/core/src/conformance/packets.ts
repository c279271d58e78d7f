import assert from "node:assert/strict";
import { addressBits, type Family, families, lastAddress } from "../address/family.ts";
import { formatAddress, lastOf } from "../address/prefix.ts";
import type { FamilyPolicy } from "../policy/policy.ts";
import { assertDecisions, networkOf } from "./decisions.ts";
import type { TestNetwork, TestPacket } from "./network.ts";
import { policyOf, samplePolicies, tamperedPolicy } from "./policies.ts";
import type { Kit } from "./trial.ts";

/** What the kernel does with packets is what the policy says of them. */
export function packets(kit: Kit): void {
  for (const family of families) {
    for (const { name, policy } of samplePolicies(family)) {
      kit.testUnless(kit.limits.packets, `packets, ${family}: decided as the policy says: ${name}`, async (trial) => {
        await trial.write(policy);
        const sent = packetsFor(policy, networkOf(trial));
        const arrivals = await assertDecisions(trial, policy, sent);
        const { ports } = policy.translation;
        for (const [index, arrival] of arrivals.entries()) {
          if (ports.length === 0 || arrival?.source !== networkOf(trial).node[family]) continue;
          const inside = ports.some(({ first, last }) => arrival.sourcePort >= first && arrival.sourcePort <= last);
          assert.ok(inside, `${JSON.stringify(sent[index])} left from port ${arrival.sourcePort}`);
        }
      });
    }

    kit.testUnless(kit.limits.packets, `packets, ${family}: port ranges share by their size`, async (trial) => {
      const [small, large] = [
        { first: 20_000, last: 20_099 },
        { first: 30_000, last: 30_299 },
      ];
      const network = networkOf(trial);
      const policy = policyOf(family, [], { ports: [small, large] });
      await trial.write(policy);
      const sent = Array.from({ length: 800 }, () => ({ family, destination: randomAddress(family, network) }));
      const arrivals = await assertDecisions(trial, policy, sent);
      const inSmall = arrivals.filter((arrival) => arrival !== undefined && arrival.sourcePort <= small.last).length;
      // A quarter of the ports: 200 of 800, and six standard deviations (12.2 each) to either side.
      assert.ok(inSmall > 126 && inSmall < 274, `${inSmall} of 800 flows left from the smaller range, not about 200`);
    });

    kit.testUnless(kit.limits.packets, `packets, ${family}: tcp is decided like udp`, async (trial) => {
      const policy = tamperedPolicy(family);
      await trial.write(policy);
      const sent = packetsFor(policy, networkOf(trial)).map((packet) => ({ ...packet, protocol: "tcp" as const }));
      await assertDecisions(trial, policy, sent);
    });
  }
}

/**
 * Packets to where decisions turn, just inside and just outside both ends of exempt prefixes, and to anywhere. All to
 * different addresses, and anywhere is elsewhere each time: a single source port can serve an address only once.
 */
function packetsFor({ family, exempt }: FamilyPolicy, network: TestNetwork): readonly TestPacket[] {
  const every = Math.ceil(exempt.prefixes.length / mostPrefixes);
  const edges = exempt.prefixes
    .filter((_, index) => index % every === 0)
    .flatMap((prefix) => [prefix.first - 1n, prefix.first, lastOf(prefix), lastOf(prefix) + 1n])
    .filter((address) => address >= 0n && address <= lastAddress(family))
    .map((address) => formatAddress(family, address))
    .filter((destination) => network.refusal(family, destination) === undefined);
  const anywhere = Array.from({ length: randomPackets }, () => randomAddress(family, network));
  return [...new Set([...edges, ...anywhere])].map((destination) => ({ family, destination }));
}

const mostPrefixes = 64;
const randomPackets = 32;

/** Not seeded: a failure tells the address and the policy, which is all that it takes to see it again. */
function randomAddress(family: Family, network: TestNetwork): string {
  for (;;) {
    let address = 0n;
    for (let bits = 0; bits < addressBits(family); bits += 16) {
      address = (address << 16n) | BigInt(Math.floor(Math.random() * 65_536));
    }
    const destination = formatAddress(family, address);
    if (network.refusal(family, destination) === undefined) return destination;
  }
}
