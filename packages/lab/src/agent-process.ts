import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The bundled agent, as a person would start it, in a namespace. */
export interface AgentProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Every log line so far. */
  readonly log: readonly LogLine[];
  /** Resolves with the first line, past or to come, that passes; rejects when the agent ends or the time is over. */
  line(passes: (line: LogLine) => boolean, withinMs?: number): Promise<LogLine>;
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [key: string]: unknown;
}

export const agentFile: string = fileURLToPath(new URL("../../agent/dist/ip-masq-agent.js", import.meta.url));

/** Starts the agent behind `launcher`; nsenter becomes the program, so signals reach it. `nodeFlags` are for Node itself. */
export function startAgent(
  launcher: readonly string[],
  flags: readonly string[],
  nodeFlags: readonly string[] = [],
): AgentProcess {
  const [file = "", ...rest] = [...launcher, process.execPath, ...nodeFlags, agentFile, ...flags];
  const child = spawn(file, rest, { stdio: ["ignore", "ignore", "pipe"] });
  const log: LogLine[] = [];
  const waiting = new Set<() => void>();
  // Of both events the later one: what it wrote last has been read by then.
  let closed = false;
  child.once("close", () => {
    closed = true;
  });
  createInterface({ input: child.stderr }).on("line", (text) => {
    log.push(parse(text));
    for (const look of waiting) look();
  });
  return {
    child,
    log,
    async line(passes, withinMs = 10_000) {
      const { promise, resolve, reject } = Promise.withResolvers<LogLine>();
      const look = () => {
        const found = log.find(passes);
        if (found !== undefined) resolve(found);
      };
      const fail = (why: string) => () =>
        reject(new Error(`the agent ${why}; it said:\n${log.map((line) => JSON.stringify(line)).join("\n")}`));
      const onEnd = () => fail(`ended with ${child.signalCode ?? `exit code ${child.exitCode}`}`)();
      const timer = setTimeout(fail(`did not say in ${withinMs / 1000} s what was waited for`), withinMs);
      child.once("close", onEnd);
      waiting.add(look);
      look();
      if (closed) onEnd();
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(look);
        child.off("close", onEnd);
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function parse(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: "raw", msg: text };
  }
}
