import { families, formatPortRange, type PortRange, portCount } from "@ip-masq-agent/core";
import { createLab, type Lab, toolchains } from "@ip-masq-agent/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNftablesBackend } from "../src/index.ts";
import { policy } from "./policy.ts";

let lab: Lab;

const signal = AbortSignal.timeout(60_000);
const destination = { IPv4: "8.8.4.4", IPv6: "2606:4700::1111" };
const exempt = { IPv4: ["10.0.0.0/8"], IPv6: ["fd00::/8"] };

const rawPacket = {
  IPv4: "socket S, AF_INET, SOCK_RAW, 253; send S, 'x', 0, pack_sockaddr_in 0, inet_aton shift or die $!",
  IPv6: "socket S, AF_INET6, SOCK_RAW, 253; send S, 'x', 0, pack_sockaddr_in6 0, Socket::inet_pton(AF_INET6, shift) or die $!",
};

const count = 3_000;

/** A weight wrong by its byte order, or drawn from what an earlier range left, shows in each of these. */
const choices: readonly (readonly PortRange[])[] = [
  [{ first: 20_000, last: 39_999 }],
  [
    { first: 20_000, last: 29_999 },
    { first: 30_000, last: 59_999 },
  ],
  [
    { first: 1_024, last: 29_999 },
    { first: 32_768, last: 65_535 },
  ],
  [
    { first: 20_000, last: 20_999 },
    { first: 30_000, last: 32_999 },
    { first: 40_000, last: 45_999 },
  ],
];

describe.each(toolchains())("$name", ({ prefix }) => {
  // A network for each toolchain: a flow that one of them has translated is remembered for minutes.
  beforeAll(async () => {
    lab = await createLab();
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  describe.each(families)("%s", (family) => {
    const backend = () => createNftablesBackend({ launcher: [...lab.launcher, ...prefix], timeoutMs: 10_000 });

    async function write(ports: readonly PortRange[]): Promise<void> {
      const nft = backend();
      const ruleset = nft.render(policy(family, exempt[family], { ports }), await nft.probe(signal));
      await nft.apply(nft.plan(ruleset, await nft.observe(family, signal)), signal);
    }

    test.each(choices.map((ports) => ({ name: ports.map(formatPortRange).join(), ports })))(
      "each port of $name is as likely as any other",
      async ({ ports }) => {
        await write(ports);
        const arrivals = await lab.send(
          Array.from({ length: count }, () => ({ family, destination: destination[family] })),
        );
        const all = ports.reduce((sum, range) => sum + portCount(range), 0);
        const seen = ports.map(
          ({ first, last }) =>
            arrivals.filter((arrival) => arrival && arrival.sourcePort >= first && arrival.sourcePort <= last).length,
        );
        expect(seen.reduce((sum, number) => sum + number)).toBe(count);
        for (const [index, range] of ports.entries()) {
          const share = portCount(range) / all;
          // Five standard deviations: chance fails one run in a million, a wrong weight every run.
          const tolerance = 5 * Math.sqrt(count * share * (1 - share));
          expect(Math.abs((seen[index] ?? 0) - count * share)).toBeLessThanOrEqual(tolerance);
        }
      },
    );

    test("ports are for tcp and udp, and a protocol without them is masqueraded as it is", async () => {
      await write([{ first: 4_200, last: 4_299 }]);
      const protocols = ["tcp", "udp"] as const;
      const arrivals = await lab.send(
        protocols.map((protocol) => ({ family, destination: destination[family], protocol })),
      );
      for (const arrival of arrivals) {
        expect(arrival?.source).toBe(lab.node[family]);
        expect(arrival?.sourcePort).toBeGreaterThanOrEqual(4_200);
        expect(arrival?.sourcePort).toBeLessThanOrEqual(4_299);
      }
      // Protocol 253 is for experiments (RFC 3692); perl-base is on every Debian, ping is not.
      await lab.spaces.pod.run(["perl", "-MSocket", "-e", rawPacket[family], destination[family]]);
      const [withPorts, plain] = (await backend().observe(family, signal)).table?.chain?.rules.slice(2) ?? [];
      expect(withPorts?.packets).toBeGreaterThanOrEqual(2);
      expect(plain?.packets).toBe(1);
    });
  });
});
