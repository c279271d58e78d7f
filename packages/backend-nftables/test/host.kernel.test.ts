import { families } from "@ip-masq-agent/core";
import { createLab, type Lab, toolchains } from "@ip-masq-agent/lab";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createNftablesBackend } from "../src/index.ts";
import { policy } from "./policy.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await createLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const signal = AbortSignal.timeout(60_000);
const desired = policy("IPv4", ["10.0.0.0/8"], { ports: [{ first: 20_000, last: 29_999 }] });

/** What a host may be like: other tools, other rights, other files. */
describe.each(toolchains())("$name", ({ prefix }) => {
  const open = (...words: readonly string[]) =>
    createNftablesBackend({ launcher: [...lab.launcher, ...prefix, ...words], timeoutMs: 10_000 });

  test("probing changes nothing", async () => {
    const can = await open().probe(signal);
    expect(can.toolVersion).toMatch(/^\d+\.\d+\.\d+$/);
    expect(can.randomFully).toBe(true);
    expect((await lab.run([...prefix, "nft", "list", "ruleset"])).stdout).toBe("");
  });

  test("an image without /etc/protocols, where nft prints numbers for names", async () => {
    expect(await lab.run(["mount", "--bind", "/dev/null", "/etc/protocols"])).toMatchObject({ exitCode: 0 });
    const backend = open();
    const ruleset = backend.render(desired, await backend.probe(signal));
    await backend.apply(backend.plan(ruleset, await backend.observe("IPv4", signal)), signal);
    const seen = await backend.observe("IPv4", signal);
    expect(backend.plan(ruleset, seen).differences).toEqual([]);
    expect(seen.policy).toEqual(desired);
  });

  test("without the capability NET_ADMIN every operation says so", async () => {
    const backend = open("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "--");
    const plan = {
      ...open().plan(open().render(desired, { variant: "", toolVersion: "", randomFully: true, protects: false }), {
        ...(await open().observe("IPv4", signal)),
      }),
    };
    const expected = { reason: "permission", message: expect.stringContaining("NET_ADMIN") };
    await expect(backend.probe(signal)).rejects.toMatchObject(expected);
    await expect(backend.observe("IPv4", signal)).rejects.toMatchObject(expected);
    await expect(backend.apply(plan, signal)).rejects.toMatchObject(expected);
    await expect(backend.cleanup("IPv4", signal)).rejects.toMatchObject(expected);
  });

  test("beside tables that any other nft wrote: works, or says that it crashed; never a wrong answer", async () => {
    for (const other of toolchains()) {
      const written = await lab.run([...other.prefix, "nft", "-f", "-"], foreign);
      expect(written).toMatchObject({ exitCode: 0 });
      const backend = open();
      for (const family of families) {
        expect(await backend.observe(family, signal)).toMatchObject({ present: false });
        expect(await backend.cleanup(family, signal)).toEqual([]);
      }
      const refusal = await backend.probe(signal).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (refusal !== undefined) {
        expect(refusal).toMatchObject({ reason: "other", message: expect.stringContaining("crashed") });
      } else {
        const ruleset = backend.render(desired, await backend.probe(signal));
        await backend.apply(backend.plan(ruleset, await backend.observe("IPv4", signal)), signal);
        expect(await backend.cleanup("IPv4", signal)).toEqual(["table ip ip-masq-agent"]);
      }
      expect(await lab.run([...other.prefix, "nft", "delete", "table", "ip", "other"])).toMatchObject({ exitCode: 0 });
    }
  });
});

/** nft 1.0.6 crashes on each of these where 1.1 wrote it (kubernetes#136786). */
const foreign = `table ip other {
  set ports {
    type inet_service
    elements = { 53, 80 }
  }
  map verdicts {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 1.2.3.4 . tcp . 80 : accept }
  }
}
`;
