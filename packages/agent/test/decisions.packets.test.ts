import {
  addressBits,
  decide,
  type Family,
  type FamilyPolicy,
  families,
  formatAddress,
  formatPrefix,
  lastOf,
  networkOf,
  type PortRange,
  type Prefix,
  parseAddress,
  prefixSet,
} from "@ip-masq-agent/core";
import { createLab, type Lab, randomDestination, refusal, seeded } from "@ip-masq-agent/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backendIn, names } from "./backends.ts";

/** How long the run is: `PACKETS` for each backend, over `POLICIES`; `SEED` repeats one. */
const packets = Number(process.env["PACKETS"] ?? 1_200);
const policies = Number(process.env["POLICIES"] ?? 40);
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

describe.each(names)("%s", (name) => {
  test(`decides ${packets} random packets under ${policies} random policies as the policy says (SEED=${seed})`, async () => {
    const backend = backendIn(lab.launcher, name);
    const signal = AbortSignal.timeout(3_000_000);
    const capabilities = await backend.probe(signal);
    // The same policies and packets for every backend.
    const random = seeded(seed);
    let agreed = 0;
    for (let round = 0; round < policies; round++) {
      const each = Math.ceil(packets / policies / families.length);
      for (const family of families) {
        const policy = randomPolicy(family, random);
        const desired = backend.render(policy, capabilities);
        const plan = backend.plan(desired, await backend.observe(family, signal));
        if (plan.transaction !== "") await backend.apply(plan, signal);
        const destinations = Array.from({ length: each }, () => destinationFor(policy, random));
        const protocol = round % 4 === 3 ? "tcp" : "udp";
        const arrivals = await lab.send(destinations.map((destination) => ({ family, destination, protocol })));
        for (const [index, destination] of destinations.entries()) {
          const arrival = arrivals[index];
          const decision = decide(policy, { destination: parseAddress(destination)?.value ?? 0n, protocol });
          const source = decision.verdict === "exempt" ? lab.pod[family] : lab.node[family];
          const context = `SEED=${seed} round ${round}: ${destination} under ${policy.exempt.prefixes.map(formatPrefix).join(" ")}`;
          expect(arrival?.source, context).toBe(source);
          if (decision.verdict === "masquerade" && decision.ports.length > 0) {
            expect(
              decision.ports.some((range) => isIn(range, arrival?.sourcePort ?? 0)),
              `${context}: port ${arrival?.sourcePort}`,
            ).toBe(true);
          }
          agreed++;
        }
      }
    }
    for (const family of families) await backend.cleanup(family, signal);
    process.stderr.write(
      `${name}: ${agreed} packets under ${policies * families.length} policies, all as decided (SEED=${seed})\n`,
    );
    expect(agreed).toBeGreaterThanOrEqual(packets);
  });

  test.each([
    [
      "of unlike size",
      [
        { first: 20_000, last: 20_009 },
        { first: 30_000, last: 30_029 },
      ],
    ],
    [
      "that overlap",
      [
        { first: 40_001, last: 40_003 },
        { first: 40_001, last: 40_002 },
      ],
    ],
  ] as const)("takes port ranges %s in the right share", async (_, ports) => {
    const backend = backendIn(lab.launcher, name);
    const signal = AbortSignal.timeout(60_000);
    const family = "IPv4";
    const policy: FamilyPolicy = {
      family,
      exempt: prefixSet(family, []),
      translation: { kind: "masquerade", randomFully: true, ports },
    };
    const plan = backend.plan(
      backend.render(policy, await backend.probe(signal)),
      await backend.observe(family, signal),
    );
    await backend.apply(plan, signal);
    const count = 3_000;
    const random = seeded(7);
    // A destination of its own for each: few ports do for many flows.
    const arrivals = await lab.send(
      Array.from({ length: count }, () => ({ family, destination: randomDestination(family, random) })),
    );
    await backend.cleanup(family, signal);
    const sizes = ports.map(({ first, last }) => last - first + 1);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    // The chance of each port: its ranges' shares, each spread over its size; so one in `total` for each range it is in.
    const byPort = new Map<number, number>();
    for (const arrival of arrivals)
      byPort.set(arrival?.sourcePort ?? 0, (byPort.get(arrival?.sourcePort ?? 0) ?? 0) + 1);
    let chiSquare = 0;
    let degrees = -1;
    for (let port = 1; port <= 65_535; port++) {
      const chance = ports.filter((range) => isIn(range, port)).length / total;
      if (chance === 0) {
        expect(byPort.get(port) ?? 0, `port ${port} is in no range`).toBe(0);
      } else {
        chiSquare += ((byPort.get(port) ?? 0) - count * chance) ** 2 / (count * chance);
        degrees++;
      }
    }
    // Six standard deviations above the mean of the distribution: once in many millions of runs by chance.
    expect(chiSquare).toBeLessThan(degrees + 6 * Math.sqrt(2 * degrees) + 10);
  });
});

/** Mostly few prefixes, sometimes enough for a tree; long and short, alone and beside each other; at times everything. */
function randomPolicy(family: Family, random: () => number): FamilyPolicy {
  const bits = addressBits(family);
  const whole = (limit: number) => Math.floor(random() * limit);
  const count = [0, 1, 3, 8, 20, 64, 65, 150][whole(8)] ?? 0;
  const prefixes: Prefix[] = [];
  for (let index = 0; index < count; index++) {
    const near = prefixes[whole(prefixes.length)];
    const length = random() < 0.02 ? whole(9) : 8 + whole(bits - 7);
    const beside = near && random() < 0.5 ? lastOf(near) + BigInt(whole(3)) : randomAddress(family, random);
    prefixes.push({ family, first: networkOf(beside & ((1n << BigInt(bits)) - 1n), length, bits), length });
  }
  const ports: PortRange[] =
    random() < 0.3
      ? Array.from({ length: 1 + whole(3) }, () => {
          const first = 1_024 + whole(60_000);
          return { first, last: first + 100 + whole(2_000) };
        })
      : [];
  return {
    family,
    exempt: prefixSet(family, prefixes),
    translation: { kind: "masquerade", randomFully: random() < 0.7, ports },
  };
}

/** Half of them anywhere, half where a prefix begins or ends, or just outside of it. */
function destinationFor(policy: FamilyPolicy, random: () => number): string {
  const { family, exempt } = policy;
  const prefix = exempt.prefixes[Math.floor(random() * exempt.prefixes.length)];
  if (prefix !== undefined && random() < 0.5) {
    const at = [prefix.first, lastOf(prefix), prefix.first - 1n, lastOf(prefix) + 1n][Math.floor(random() * 4)] ?? 0n;
    if (at >= 0n && at < 1n << BigInt(addressBits(family))) {
      const text = formatAddress(family, at);
      if (refusal(family, text) === undefined && text !== lab.pod[family] && text !== lab.node[family]) return text;
    }
  }
  return randomDestination(family, random);
}

function randomAddress(family: Family, random: () => number): bigint {
  let value = 0n;
  for (let bits = 0; bits < addressBits(family); bits += 16)
    value = (value << 16n) | BigInt(Math.floor(random() * 65_536));
  return value;
}

function isIn(range: PortRange, port: number): boolean {
  return port >= range.first && port <= range.last;
}
