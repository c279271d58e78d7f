import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Arrival, TestPacket } from "@ip-masq-agent/core/conformance";
import type { Namespace } from "../namespace.ts";
import type { ArrivalLine, SendLine } from "./protocol.ts";

export interface Traffic extends AsyncDisposable {
  send(packets: readonly TestPacket[]): Promise<readonly (Arrival | undefined)[]>;
}

/** A packet that has not arrived this long after the last one that did is sent again, and then given up. */
const patienceMs = 400;
const tries = 3;

/** Starts the sender in one namespace and the receiver in the other. */
export async function startTraffic(from: Namespace, to: Namespace): Promise<Traffic> {
  const [sender, receiver] = await Promise.all([start(from, "sender"), start(to, "receiver")]);
  const arrived = new Map<number, Arrival>();
  let onArrival: () => void = () => {};
  let lastId = 0;
  receiver.lines.on("line", (line) => {
    const { id, source, sourcePort } = JSON.parse(line) as ArrivalLine;
    arrived.set(id, { source, sourcePort });
    onArrival();
  });

  async function attempt(lines: readonly SendLine[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let timer = setTimeout(resolve, patienceMs + lines.length);
    let missing = lines.filter(({ id }) => !arrived.has(id)).length;
    onArrival = () => {
      missing--;
      clearTimeout(timer);
      if (missing <= 0) resolve();
      else timer = setTimeout(resolve, patienceMs);
    };
    sender.child.stdin?.write(`${JSON.stringify(lines)}\n`);
    await promise;
    onArrival = () => {};
  }

  return {
    async send(packets) {
      const lines = packets.map((packet) => lineOf(packet, ++lastId));
      let left: readonly SendLine[] = lines;
      for (let round = 0; round < tries && left.length > 0; round++) {
        await attempt(left);
        left = left.filter(({ id }) => !arrived.has(id));
      }
      const arrivals = lines.map(({ id }) => arrived.get(id));
      for (const { id } of lines) arrived.delete(id);
      return arrivals;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([sender, receiver].map(stop));
    },
  };
}

function lineOf({ family, destination, protocol = "udp" }: TestPacket, id: number): SendLine {
  if (!isForwardable(destination)) throw new RangeError(`${destination} is never forwarded by a node, so not sent`);
  return { id, address: destination, version: family === "IPv4" ? 4 : 6, protocol };
}

/** Whether routers pass packets to this address on: not "this network", loopback, multicast, broadcast, link-local v6. */
export function isForwardable(address: string): boolean {
  if (address.includes(":")) return !/^(?:::1?$|f[ef]|::ffff:)/i.test(address) || /^fe[c-f]/i.test(address);
  const first = Number(address.split(".")[0]);
  return first !== 0 && first !== 127 && !(first >= 224 && first <= 239) && address !== "255.255.255.255";
}

async function start(
  space: Namespace,
  name: string,
): Promise<{ readonly child: ChildProcess; readonly lines: Interface }> {
  const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const [file = "", ...rest] = [...space.launcher, process.execPath, script];
  const child = spawn(file, rest, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const [first] = await once(lines, "line");
  if (first !== "ready") throw new Error(`the lab's ${name} said ${JSON.stringify(first)} in place of "ready"`);
  return { child, lines };
}

async function stop({ child }: { readonly child: ChildProcess }): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
