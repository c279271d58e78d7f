import { readFile } from "node:fs/promises";

/** Kibibytes as the kernel counts them for a process (proc(5), status). */
export interface Memory {
  readonly residentKiB: number;
  readonly anonymousKiB: number;
  /** The most that it had resident so far. */
  readonly peakKiB: number;
}

/** Rejects where there is no such process. */
export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN);
  return { residentKiB: field("VmRSS"), anonymousKiB: field("RssAnon"), peakKiB: field("VmHWM") };
}

/** CPU time of a process and of its children that have ended, in milliseconds; the kernel counts in steps of 10. */
export async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // After the name in brackets, which may hold spaces; utime, stime, cutime and cstime are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

/** Ids of a process' children that run now. Rejects where there is no such process. */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

/** CPU time as `cpuOf` gives it, with that of the children that run now, `nft monitor` for one. What has ended meanwhile counts nothing. */
export async function cpuWithChildrenOf(pid: number): Promise<number> {
  const times = await Promise.all([pid, ...(await childrenOf(pid))].map((one) => cpuOf(one).catch(() => 0)));
  return times.reduce((sum, time) => sum + time, 0);
}

/** The first child whose command line passes, its words ended by a zero byte each; undefined: there is none. */
export async function childWith(pid: number, passes: (command: string) => boolean): Promise<number | undefined> {
  for (const child of await childrenOf(pid)) {
    if (passes(await readFile(`/proc/${child}/cmdline`, "utf8").catch(() => ""))) return child;
  }
  return undefined;
}
