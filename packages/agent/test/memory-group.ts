import { access, mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A control group with a memory limit, as a pod's; what is started behind `words` is in it with all its children. */
export interface MemoryGroup extends AsyncDisposable {
  readonly words: readonly string[];
  /** Bytes; the most that was in use at one time, the kernel's own memory for the rules included. */
  most(): Promise<number>;
  /** Processes that the kernel killed for want of memory. */
  killed(): Promise<number>;
}

/** Undefined where this machine lets nobody make one: then only the process' own memory can be looked at. */
export async function openMemoryGroup(bytes: number): Promise<MemoryGroup | undefined> {
  const name = `ip-masq-agent-test-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const old = { limit: "memory.limit_in_bytes", most: "memory.max_usage_in_bytes", events: "memory.oom_control" };
  const unified = { limit: "memory.max", most: "memory.peak", events: "memory.events" };
  for (const [root, files] of [
    ["/sys/fs/cgroup/memory", old],
    ["/sys/fs/cgroup", unified],
  ] as const) {
    const directory = join(root, name);
    try {
      await access(join(root, "cgroup.procs"));
      await mkdir(directory);
      await writeFile(join(directory, files.limit), `${bytes}`);
    } catch {
      await rmdir(directory).catch(() => {});
      continue;
    }
    const read = (file: string) => readFile(join(directory, file), "utf8");
    return {
      words: ["sh", "-c", `echo $$ >${join(directory, "cgroup.procs")} && exec "$@"`, "sh"],
      most: async () => Number(await read(files.most)),
      killed: async () => Number(/^oom_kill (\d+)$/m.exec(await read(files.events))?.[1]),
      async [Symbol.asyncDispose]() {
        // Empty once what was in it has ended.
        for (let tries = 0; tries < 50; tries++) {
          if (await rmdir(directory).then(...[() => true, () => false])) return;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        await rm(directory, { force: true }).catch(() => {});
      },
    };
  }
  return undefined;
}
