import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";

/** Parts of the table that are in use: from here on it is time to act, and from here on packets are about to drop. */
const full = { warning: 0.8, error: 0.95 } as const;

/** NAT needs an entry for each flow: how full the table is, and whether entries could not be made. */
export const conntrack: Check = {
  name: "conntrack",
  look: async (node) => [...(await fill(node)), ...(await failures(node))],
};

async function fill({ read }: Node): Promise<readonly Diagnosis[]> {
  const [count, most] = await Promise.all(
    ["count", "max"].map(async (name) => Number((await read(`/proc/sys/net/netfilter/nf_conntrack_${name}`)) ?? "NaN")),
  );
  if (count === undefined || most === undefined || Number.isNaN(count + most)) {
    return [note("info", "conntrack", "is not loaded, or cannot be read")];
  }
  // The kernel knows 0 as "no limit".
  if (most === 0) return [note("ok", "conntrack", `${count} entries in use, of any number`)];
  const share = count / most;
  const what = `${count} of ${most} entries in use (${(share * 100).toFixed(0)} %)`;
  if (share < full.warning) return [note("ok", "conntrack", what)];
  return [
    trouble(
      share >= full.error ? "error" : "warning",
      "conntrack",
      what,
      "when it is full, packets of new flows are dropped, masqueraded or not",
      "raise net.netfilter.nf_conntrack_max, or find who opens so many flows (conntrack -L)",
    ),
  ];
}

async function failures({ read }: Node): Promise<readonly Diagnosis[]> {
  const text = await read("/proc/net/stat/nf_conntrack");
  if (text === undefined) return [note("info", "conntrack", "insert_failed cannot be read")];
  const failed = sumColumn(text, "insert_failed");
  if (failed === 0) return [note("ok", "conntrack", "no insert_failed")];
  return [
    trouble(
      "warning",
      "conntrack",
      `insert_failed is ${failed} since boot`,
      "so many packets were dropped because two flows were given the same source port, or replies raced (DNS above all)",
      "leave --random-fully on, and widen --to-ports if it is set; watch whether the number still grows",
    ),
  ];
}

/** /proc/net/stat/nf_conntrack: a line of names, then one line of hexadecimal numbers for each processor. */
export function sumColumn(text: string, name: string): number {
  const [heading = "", ...lines] = text.trim().split("\n");
  const column = heading.trim().split(/\s+/).indexOf(name);
  if (column < 0) return 0;
  return lines.reduce((sum, line) => sum + (Number.parseInt(line.trim().split(/\s+/)[column] ?? "0", 16) || 0), 0);
}
