import { readFile } from "node:fs/promises";
import type { Lab } from "../src/index.ts";

/** Kibibytes as the kernel counts them for a process. */
export interface Memory {
  readonly residentKiB: number;
  readonly anonymousKiB: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN);
  return { residentKiB: field("VmRSS"), anonymousKiB: field("RssAnon") };
}

/** CPU time of a process and of its children that have ended, in milliseconds; the kernel counts in steps of 10. */
export async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // After the name in brackets, which may hold spaces; utime, stime, cutime and cstime are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

/** The number that the next process of a pid namespace gets: what has been started there in between, is their difference. */
export async function nextPid(lab: Lab, inside: number): Promise<number> {
  const { stdout } = await lab.run(["nsenter", `--pid=/proc/${inside}/ns/pid`, "--", "sh", "-c", "echo $$"]);
  return Number(stdout);
}

/** The first child of a process. */
export async function childOf(pid: number): Promise<number> {
  for (;;) {
    const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ");
    if (child) return Number(child);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
