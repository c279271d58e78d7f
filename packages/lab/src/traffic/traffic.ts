import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Arrival, TestPacket } from "@ip-masq-agent/core/conformance";
import { refusal } from "../destination.ts";
import { endChild, type Namespace } from "../namespace.ts";
import type { Spaces } from "../topology.ts";
import type { ArrivalLine, FailureLine, SendEntry, SendLine } from "./protocol.ts";

/** A sender in the pod and a receiver outside. */
export interface Traffic extends AsyncDisposable {
  send(packets: readonly TestPacket[]): Promise<readonly (Arrival | undefined)[]>;
}

/** So many packets of one call may be on their way: half of what a default receive buffer (212,992 bytes) holds. */
const window = 128;
const attempts = 3;
const attemptMs = 400;

type Program = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts both programs. */
export async function openTraffic(spaces: Spaces): Promise<Traffic> {
  const awaited = new Map<number, PromiseWithResolvers<Arrival>>();
  let lastId = 0;
  let outbox: SendEntry[] = [];
  let broken: Error | undefined;

  await using stack = new AsyncDisposableStack();
  const start = async (space: Namespace, script: string, onLine: (line: string) => void): Promise<Program> => {
    const program = startProgram(space, script);
    stack.defer(() => endChild(program));
    await readLines(program, script, onLine, (error) => {
      broken ??= error;
      for (const { reject } of awaited.values()) reject(error);
    });
    return program;
  };
  const [sender] = await Promise.all([
    start(spaces.pod, "sender.ts", (line) => {
      const [id, message] = JSON.parse(line) as FailureLine;
      awaited.get(id)?.reject(new Error(`the pod's kernel refused to send a packet: ${message}`));
    }),
    start(spaces.outside, "receiver.ts", (line) => {
      const [id, source, sourcePort] = JSON.parse(line) as ArrivalLine;
      awaited.get(id)?.resolve({ source, sourcePort });
    }),
  ]);

  /** All packets of one turn of the event loop go out as one line. */
  function post(entry: SendEntry): void {
    if (outbox.length === 0) {
      setImmediate(() => {
        sender.stdin.write(`${JSON.stringify(outbox satisfies SendLine)}\n`);
        outbox = [];
      });
    }
    outbox.push(entry);
  }

  /** Sends until it arrives, each time as a new flow. A busy receiver drops packets; a dropping rule drops them all. */
  async function deliver({ family, destination, protocol = "udp" }: TestPacket): Promise<Arrival | undefined> {
    if (broken !== undefined) throw broken;
    const id = ++lastId;
    const arrival = Promise.withResolvers<Arrival>();
    awaited.set(id, arrival);
    try {
      for (let attempt = 0; attempt < attempts; attempt++) {
        post([id, family, destination, protocol]);
        const answer = await within(attemptMs, arrival.promise);
        if (answer !== undefined) return answer;
      }
      return undefined;
    } finally {
      awaited.delete(id);
    }
  }

  const programs = stack.move();
  return {
    async send(packets) {
      for (const { family, destination } of packets) {
        const reason = refusal(family, destination);
        if (reason !== undefined)
          throw new Error(`the lab cannot send an ${family} packet to ${destination}: ${reason}`);
      }
      const answers = new Array<Arrival | undefined>(packets.length);
      const waiting = packets.entries();
      const lane = async (): Promise<void> => {
        for (const [index, packet] of waiting) answers[index] = await deliver(packet);
      };
      await Promise.all(Array.from({ length: Math.min(window, packets.length) }, lane));
      return answers;
    },
    [Symbol.asyncDispose]: () => programs.disposeAsync(),
  };
}

function startProgram(space: Namespace, script: string): Program {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const [file = "", ...words] = [...space.launcher, process.execPath, path];
  // Detached, as the namespaces themselves: Ctrl-C is for this process, which then ends them in order.
  return spawn(file, words, { detached: true, stdio: ["pipe", "pipe", "pipe"] });
}

/** Resolves with the program's first line, which says that it is ready; every other line goes to `onLine`. */
async function readLines(
  program: Program,
  name: string,
  onLine: (line: string) => void,
  onEnd: (error: Error) => void,
): Promise<void> {
  let stderr = "";
  program.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  program.stdin.on("error", () => {});
  const ended = Promise.withResolvers<never>();
  // Nobody waits for it after the start; `onEnd` is then the one to tell.
  ended.promise.catch(() => {});
  const end = (what: string): void => {
    const error = new Error(`the lab's traffic ${name} ended (${what}): ${stderr.trim()}`);
    ended.reject(error);
    onEnd(error);
  };
  program.once("error", (error) => end(error.message));
  program.once("close", (code, signal) => end(`exit code ${code}, signal ${signal}`));
  const lines = createInterface({ input: program.stdout });
  await Promise.race([once(lines, "line"), ended.promise]);
  lines.on("line", onLine);
}

/** The promise's value, or undefined when the time is over. */
async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
