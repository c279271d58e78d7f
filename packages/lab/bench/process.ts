import { childrenOf, type Lab } from "../src/index.ts";

/** The number that the next process of a pid namespace gets: what has been started there in between, is their difference. */
export async function nextPid(lab: Lab, inside: number): Promise<number> {
  const { stdout } = await lab.run(["nsenter", `--pid=/proc/${inside}/ns/pid`, "--", "sh", "-c", "echo $$"]);
  return Number(stdout);
}

/** The first child of a process. */
export async function childOf(pid: number): Promise<number> {
  for (;;) {
    const [child] = await childrenOf(pid);
    if (child !== undefined) return child;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
