import { heldCapabilities } from "../kernel/capabilities.ts";
import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";

const needed = [
  { name: "NET_ADMIN", why: "no rule can be read or written without it" },
  { name: "NET_RAW", why: "iptables-legacy opens a raw socket; other backends need it not" },
] as const;

const lockFile = "/run/xtables.lock";

/** Who we are, and whether the lock of iptables is the node's. */
export const privileges: Check = {
  name: "privileges",
  look: async (node) => [...(await capabilities(node)), ...(await lock(node))],
};

async function capabilities({ read }: Node): Promise<readonly Diagnosis[]> {
  const held = heldCapabilities((await read("/proc/self/status")) ?? "");
  if (held === undefined) return [note("info", "privileges", "/proc/self/status cannot be read")];
  const { user } = held;
  const asUser =
    user === "0"
      ? []
      : [
          note(
            "info",
            "privileges",
            `runs as user ${user}: ${lockFile} is root's, so iptables-legacy may be refused it`,
          ),
        ];
  const missing = needed.filter(({ name }) => !held.has(name));
  if (missing.length === 0) return [note("ok", "privileges", "NET_ADMIN and NET_RAW"), ...asUser];
  return [...missing.map(told), ...asUser];
}

function told({ name, why }: (typeof needed)[number]): Diagnosis {
  return trouble(
    name === "NET_ADMIN" ? "error" : "warning",
    "privileges",
    `the capability ${name} is missing`,
    why,
    "run as root, or give the container that capability",
  );
}

/** In a container, iptables' lock is shared with kube-proxy only where the host's file is mounted. */
async function lock({ read }: Node): Promise<readonly Diagnosis[]> {
  const text = await read("/proc/self/mountinfo");
  if (text === undefined) return [note("info", "lock", "/proc/self/mountinfo cannot be read")];
  const mounts = text.split("\n").map((line) => line.split(" "));
  const points = new Set(mounts.map(([, , , , point = ""]) => point));
  // Not every runtime has an overlay for its root, but all put these two of their own in place.
  const inContainer =
    mounts.some(([, , , , point, ...rest]) => point === "/" && rest.includes("overlay")) ||
    ["/etc/hosts", "/etc/resolv.conf"].every((file) => points.has(file));
  if (points.has(lockFile) || points.has(`/var${lockFile}`)) {
    return [note("ok", "lock", `${lockFile} is mounted from the host`)];
  }
  if (!inContainer) return [note("ok", "lock", `${lockFile} is the node's own`)];
  if (points.has("/run")) {
    return [note("info", "lock", `/run is a mount: ${lockFile} is the host's if that is the host's /run`)];
  }
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
