import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { endChild, type Namespace } from "../namespace.ts";
import type { AbusePlan, AbuseReport } from "./plan.ts";

export interface Abuse extends AsyncDisposable {
  /** Ends it, and tells what came of it. */
  stop(): Promise<AbuseReport>;
}

/** Starts clients in a namespace that abuse a server; resolves when each has tried to connect once. */
export async function startAbuse(from: Namespace, plan: AbusePlan): Promise<Abuse> {
  const program = fileURLToPath(new URL("client.ts", import.meta.url));
  const [file = "", ...words] = [...from.launcher, process.execPath, program, JSON.stringify(plan)];
  const child = spawn(file, words, { detached: true, stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { done, value } = await lines.next();
    if (done === true) throw new Error(`the abusing clients ended early: ${JSON.stringify(plan)}`);
    return value;
  };
  await next();
  return {
    async stop() {
      child.stdin.end();
      return JSON.parse(await next()) as AbuseReport;
    },
    [Symbol.asyncDispose]: () => endChild(child),
  };
}
