import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What /proc tells of a process of ours. */
export interface ProcessFacts {
  /** It has joined the kernel's group for nftables' events. Undefined: that cannot be told. */
  listens(pid: number): boolean | undefined;
  /** Memory in use, in bytes; undefined: that cannot be told. */
  residentBytes(pid: number): number | undefined;
}

/** NETLINK_NETFILTER, and the bit of NFNLGRP_NFTABLES (7) in a socket's mask of groups. */
const netfilterProtocol = "12";
const nftablesGroup = 1 << 6;

/** Reads /proc; tells nothing where it is another PID namespace's, whose numbers mean other processes. */
export const procFacts: ProcessFacts = {
  listens(pid) {
    return fromProc(() => {
      const sockets = new Set(
        readFileSync(`/proc/${pid}/net/netlink`, "latin1")
          .split("\n")
          .map((row) => row.trim().split(/\s+/))
          .filter(
            ([, protocol, , mask = "0"]) =>
              protocol === netfilterProtocol && (Number.parseInt(mask, 16) & nftablesGroup) !== 0,
          )
          .map((fields) => `socket:[${fields.at(-1)}]`),
      );
      return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(targetOf(`/proc/${pid}/fd/${fd}`)));
    });
  },
  residentBytes(pid) {
    return fromProc(() => {
      const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
      return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
    });
  },
};

function fromProc<T>(read: () => T): T | undefined {
  try {
    return readlinkSync("/proc/self") === String(process.pid) ? read() : undefined;
  } catch {
    // The process has ended, or may not be read: either way nothing is known of it.
    return undefined;
  }
}

/** A descriptor may be closed while the list is read. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}
