import { createLab, type Lab } from "@ip-masq-agent/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { everyTools, nodeOf, planFor, write } from "./node.ts";
import { policy } from "./policy.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await createLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

const never = new AbortController().signal;
const desired = policy("IPv4", ["10.0.0.0/8"]);
const tree = policy(
  "IPv4",
  Array.from({ length: 100 }, (_, index) => `20.${index}.0.0/17`),
);

/** What the Go original leaves on a node, whatever the name of its chain. */
const original = (chain: string): readonly string[] => [
  `-N ${chain}`,
  `-A POSTROUTING -m comment --comment "ip-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom ${chain} chain" -m addrtype ! --dst-type LOCAL -j ${chain}`,
  `-A ${chain} -d 10.0.0.0/8 -m comment --comment "ip-masq-agent: local traffic is not subject to MASQUERADE" -j RETURN`,
  `-A ${chain} -m comment --comment "ip-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)" -j MASQUERADE --random-fully`,
];

describe.each(everyTools)("$name", (tools) => {
  afterEach(() => nodeOf(lab, tools).empty());

  test("rules of the original become ours; one jump stays", async () => {
    const node = nodeOf(lab, tools);
    const extra = ["-m addrtype ! --dst-type LOCAL", '-m comment --comment "it\'s \\"old\\"" -o eth+', "-p udp"];
    const jumps = extra.map((words) => `-A POSTROUTING ${words} -j IP-MASQ-AGENT`);
    await node.iptables("IPv4", ...original("IP-MASQ-AGENT"), ...jumps);
    const backend = node.backend();
    await write(backend, desired);
    expect((await planFor(backend, desired)).transaction).toBe("");
    const lines = (await node.save("IPv4")).split("\n");
    expect(lines.filter((line) => line.startsWith("-A POSTROUTING"))).toEqual([
      expect.stringContaining("our custom IP-MASQ-AGENT chain"),
    ]);
  });

  test("a chain with our name and rules of others is ours", async () => {
    const node = nodeOf(lab, tools);
    await node.iptables("IPv4", "-N IP-MASQ-AGENT", "-A IP-MASQ-AGENT -d 9.9.9.9/32 -j RETURN");
    await node.iptables("IPv4", "-A POSTROUTING -o foo0 -j MASQUERADE");
    const backend = node.backend();
    await write(backend, desired);
    expect(await backend.observe("IPv4", never)).toMatchObject({ policy: desired });
    expect(await node.save("IPv4")).toContain("-A POSTROUTING -o foo0 -j MASQUERADE\n");
  });

  test.each([
    ["the original's", undefined],
    ["ours, flat", desired],
    ["ours, a tree", tree],
  ] as const)("another chain name: %s goes as the new one comes", async (_, former) => {
    const node = nodeOf(lab, tools);
    if (former === undefined) await node.iptables("IPv4", ...original("OLD-NAME"));
    else await write(node.backend({ chain: "OLD-NAME" }), former);
    const backend = node.backend();
    await write(backend, tree);
    expect((await planFor(backend, tree)).transaction).toBe("");
    expect(await node.save("IPv4")).not.toContain("OLD-NAME");
    expect(await backend.observe("IPv4", never)).toMatchObject({ policy: tree });
  });

  test("a tree under another name without its jump is known by its comment", async () => {
    const node = nodeOf(lab, tools);
    await write(node.backend({ chain: "OLD-NAME" }), tree);
    await node.iptables("IPv4", "-F POSTROUTING");
    expect(await node.backend().cleanup("IPv4", never)).toContain("chain OLD-NAME");
    expect(await node.save("IPv4")).not.toMatch(/OLD-NAME|IPMASQ-/);
  });

  test("chains of others stay as they are, whatever they say and wherever they lead", async () => {
    const node = nodeOf(lab, tools);
    const backend = node.backend();
    await write(backend, tree);
    await node.iptables(
      "IPv4",
      "-N KUBE-X",
      "-I POSTROUTING -j KUBE-X",
      "-A KUBE-X -m mark ! --mark 0x4000/0x4000 -j RETURN",
      '-A KUBE-X -m comment --comment "ip-masq-agent: mine" -j RETURN',
      '-A KUBE-X -m comment --comment "two\nlines" -j RETURN',
      '-A KUBE-X -j LOG --log-prefix " -j IP-MASQ-AGENT "',
      "-A KUBE-X -p icmp -g IPMASQ-TRANSLATE",
    );
    const foreign = async () =>
      (await node.save("IPv4")).split("\n").filter((line) => !/^(?::|-A )(?:IP-?MASQ-)|-j IP-MASQ-AGENT$/.test(line));
    const before = await foreign();
    expect(before.length).toBeGreaterThan(10);
    // IPMASQ-TRANSLATE goes with the tree, and cannot as long as KUBE-X leads there.
    await write(backend, desired);
    expect((await planFor(backend, desired)).transaction).toBe("");
    await backend.cleanup("IPv4", never);
    expect(await backend.cleanup("IPv4", never)).toEqual([]);
    expect(await backend.observe("IPv4", never)).toMatchObject({ present: false });
    expect(await foreign()).toEqual(before);
  });
});
