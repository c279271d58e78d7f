import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";

/** Bits of /proc/PID/status' CapEff (capabilities(7)). */
const needed = [
  { bit: 12n, name: "NET_ADMIN", why: "no rule can be read or written without it" },
  { bit: 13n, name: "NET_RAW", why: "iptables-legacy opens a raw socket" },
] as const;

const lockFile = "/run/xtables.lock";

/** Who we are, and whether the lock of iptables is the node's. */
export const privileges: Check = {
  name: "privileges",
  look: async (node) => [...(await capabilities(node)), ...(await lock(node))],
};

async function capabilities({ read }: Node): Promise<readonly Diagnosis[]> {
  const status = (await read("/proc/self/status")) ?? "";
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const missing = needed.filter(({ bit }) => (held & (1n << bit)) === 0n);
  if (missing.length === 0) return [note("ok", "privileges", "NET_ADMIN and NET_RAW")];
  return missing.map(({ name, why }) =>
    trouble(
      name === "NET_ADMIN" ? "error" : "warning",
      "privileges",
      `the capability ${name} is missing`,
      why,
      "run as root, or give the container that capability",
    ),
  );
}

/** In a container, iptables' lock is shared with kube-proxy only where the host's file is mounted. */
async function lock({ read }: Node): Promise<readonly Diagnosis[]> {
  const mounts = ((await read("/proc/self/mountinfo")) ?? "").split("\n").map((line) => line.split(" "));
  const inContainer = mounts.some(([, , , , point, ...rest]) => point === "/" && rest.includes("overlay"));
  const mounted = mounts.some(([, , , , point = ""]) => lockFile === point || point === "/run");
  if (!inContainer) return [note("ok", "lock", `${lockFile} is the node's own`)];
  if (mounted) return [note("ok", "lock", `${lockFile} is mounted from the host`)];
  return [
    trouble(
      "warning",
      "lock",
      `${lockFile} is not mounted from the host`,
      "with iptables-legacy, two writers that do not see each other's lock lose each other's rules",
      `mount the host's ${lockFile} (hostPath, FileOrCreate); nftables and iptables-nft need no lock`,
    ),
  ];
}
