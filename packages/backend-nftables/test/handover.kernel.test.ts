import { families } from "@ip-masq-agent/core";
import { createLab, type Lab, toolchains } from "@ip-masq-agent/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createNftablesBackend } from "../src/index.ts";
import { policy } from "./policy.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const signal = AbortSignal.timeout(60_000);
/** Were chain and set one transaction, one packet would be wrong in some of so many rounds (kernel 6.18). */
const rounds = 30;
const sample = {
  IPv4: { exempt: "10.0.0.0/8", inside: "10.1.2.3", outside: "8.8.4.4" },
  IPv6: { exempt: "fd00::/8", inside: "fd01:1:2::3", outside: "2606:4700::1111" },
};

describe.each(toolchains())("$name", ({ prefix }) => {
  test.each(families)(
    "%s: no packet meets a wrong decision while the table comes beside another's rules",
    async (family) => {
      const { exempt, inside, outside } = sample[family];
      const address = family === "IPv4" ? "ip" : "ip6";
      const other = `table ${address} other {
      chain c {
        type nat hook postrouting priority 100;
        ${address} daddr ${exempt} return
        masquerade
      }
    }\n`;
      expect(await lab.run([...prefix, "nft", "-f", "-"], other)).toMatchObject({ exitCode: 0 });
      const backend = createNftablesBackend({ launcher: [...lab.launcher, ...prefix], timeoutMs: 10_000 });
      const ruleset = backend.render(policy(family, [exempt]), await backend.probe(signal));
      let working = true;
      let sent = 0;
      const wrong: string[] = [];
      const packets = Array.from({ length: 128 }, (_, index) => ({
        family,
        destination: index % 2 ? outside : inside,
      }));
      const sending = async (): Promise<void> => {
        while (working) {
          for (const [index, arrival] of (await lab.send(packets)).entries()) {
            const should = index % 2 ? lab.node[family] : lab.pod[family];
            if (arrival?.source !== should) wrong.push(`${packets[index]?.destination}: from ${arrival?.source}`);
            sent++;
          }
        }
      };
      const switching = async (): Promise<void> => {
        for (let round = 0; round < rounds; round++) {
          await backend.apply(backend.plan(ruleset, await backend.observe(family, signal)), signal);
          expect(backend.plan(ruleset, await backend.observe(family, signal)).differences).toEqual([]);
          expect(await backend.cleanup(family, signal)).toHaveLength(1);
        }
      };
      await Promise.all([
        sending(),
        switching().finally(() => {
          working = false;
        }),
      ]);
      expect(sent).toBeGreaterThan(1_000);
      expect(wrong).toEqual([]);
    },
  );
});
