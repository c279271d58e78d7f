import { describe, expect, test } from "vitest";
import { createEventReader, type KernelChange, ownTable } from "./event-text.ts";

interface Told {
  readonly changes: readonly KernelChange[];
  /** Processes of generations without a line. */
  readonly unattributed: readonly (number | undefined)[];
  readonly losses: number;
}

function read(text: string, pieces = 1): Told {
  const changes: KernelChange[] = [];
  const unattributed: (number | undefined)[] = [];
  let losses = 0;
  const reader = createEventReader({
    concern: ownTable,
    onChange: (change) => changes.push(change),
    onUnattributed: (by) => unattributed.push(by?.pid),
    onLoss: () => {
      losses++;
    },
  });
  const size = Math.ceil(text.length / pieces);
  for (let from = 0; from < text.length; from += size) reader.take(text.slice(from, from + size));
  return { changes, unattributed, losses };
}

/** As nft 1.1.3 prints them; 1.0.6 prints the same. */
const tampering = [
  "delete rule ip ip-masq-agent postrouting handle 7",
  "add element ip6 ip-masq-agent exempt { fd77::/16 }",
  "# new generation 12 by process 4711 (nft)",
  "",
].join("\n");

describe("the text of nft monitor", () => {
  test.each([1, 2, 7, tampering.length])("tells families and process, cut into %i pieces", (pieces) => {
    expect(read(tampering, pieces).changes).toEqual([
      { families: new Set(["IPv4", "IPv6"]), by: { process: "nft", pid: 4711 } },
    ]);
  });

  test("others' tables, and names that only begin like ours, are passed over", () => {
    const text = [
      "add rule ip kube-proxy services jump ip-masq-agent",
      "add table ip ip-masq-agent-old",
      "delete table inet ip-masq-agent",
      "# new generation 13 by process 1 (kube-proxy)",
      "",
    ].join("\n");
    expect(read(text).changes).toEqual([]);
  });

  test("a deleted table concerns; a process may be called anything", () => {
    const text = "delete table ip ip-masq-agent\n# new generation 14 by process 9 (a (b) c)\n";
    expect(read(text).changes).toEqual([{ families: new Set(["IPv4"]), by: { process: "a (b) c", pid: 9 } }]);
  });

  test("without the process, the change is told all the same", () => {
    expect(read("delete table ip ip-masq-agent\n# new generation 14\n").changes).toEqual([
      { families: new Set(["IPv4"]) },
    ]);
  });

  test("a line of a hundred thousand elements is known by its head, and not kept", () => {
    const elements = Array.from({ length: 100_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`).join(", ");
    const text = `add element ip ip-masq-agent exempt { ${elements} }\n# new generation 3 by process 2 (nft)\n`;
    expect(read(text, 30).changes).toHaveLength(1);
  });

  test("one line of ours among a hundred thousand of others is found, however the text is cut", () => {
    const others = Array.from({ length: 100_000 }, (_, at) => `add rule ip kube-proxy c${at} accept`).join("\n");
    const text = `${others}\ndelete rule ip ip-masq-agent postrouting handle 7\n${others}\n# new generation 3 by process 2 (x)\n`;
    for (const pieces of [1, 77, 1_001]) expect(read(text, pieces).changes).toHaveLength(1);
  });

  test.each([1, 3, 1_000])(
    "a generation without a line before it cannot be attributed, cut into %i pieces",
    (pieces) => {
      const text = [
        "add rule ip kube-proxy c accept",
        "# new generation 3 by process 30 (x)",
        "# new generation 4 by process 40 (x)",
        "delete rule ip ip-masq-agent postrouting handle 7",
        "# new generation 5 by process 50 (x)",
        "# new generation 6",
        `add rule ip kube-proxy c comment "${"# new generation 7 ".repeat(30)}"`,
        "# new generation 8 by process 80 (x)",
        "",
      ].join("\n");
      const { changes, unattributed } = read(text, pieces);
      expect(changes.map(({ by }) => by?.pid)).toEqual([50]);
      expect(unattributed).toEqual([40, undefined]);
    },
  );

  test("lost events are told", () => {
    expect(read("# ERROR: We lost some netlink events!\n").losses).toBe(1);
  });
});
