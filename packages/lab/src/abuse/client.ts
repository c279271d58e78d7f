/**
 * A program, run in a namespace: abuses the server of the plan that it is given. Says "ready" when each of its clients
 * has tried to connect once. Ends with its stdin, or after a time, and then tells what came of it.
 */
import { connect, type Socket } from "node:net";
import { type AbusePlan, type AbuseReport, abuseLimits } from "./plan.ts";

const { host, port, ...counts } = JSON.parse(process.argv[2] ?? "{}") as AbusePlan;
const request = `GET /metrics HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const oneOf60000 = "GET /metrics HTTP/1.1\r\nHost:n\r\n\r\n";
const ends: Readonly<Record<Exclude<keyof AbusePlan, "host" | "port">, (socket: Socket) => void>> = {
  idle() {},
  flood(socket) {
    let text = "";
    socket.on("data", (chunk) => {
      text = `${text}${chunk}`.slice(0, 20);
    });
    socket.on("end", () => {
      if (text.startsWith("HTTP/1.1 200")) report.answers++;
      socket.destroy();
    });
    socket.write(request);
  },
  pipelined(socket) {
    socket.pause();
    socket.write(oneOf60000.repeat(60_000));
  },
  slow(socket) {
    let sent = 0;
    const timer = setInterval(() => socket.write(request[sent++ % 20] ?? ""), 100);
    socket.once("close", () => clearInterval(timer));
  },
  knocking: (socket) => socket.resetAndDestroy(),
};

const report = { connections: 0, answers: 0 } satisfies AbuseReport;
let stopped = false;

function stop(): void {
  stopped = true;
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

function come(abuse: (socket: Socket) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host, port });
  socket.once("connect", () => {
    report.connections++;
    abuse(socket);
    resolve();
  });
  socket.on("error", () => {});
  // A paused socket does not see that the other side has closed; it is given up after a while.
  socket.setTimeout(5_000, () => socket.destroy());
  socket.once("close", () => {
    resolve();
    if (!stopped) setImmediate(() => come(abuse));
  });
  return promise;
}

const clients = Object.entries(ends).flatMap(([kind, abuse]) => {
  const count = counts[kind as keyof typeof counts] ?? 0;
  return Array<(socket: Socket) => void>(count).fill(abuse);
});
if (clients.length > abuseLimits.clients) throw new Error(`more than ${abuseLimits.clients} clients`);
process.stdin.resume().once("end", stop);
setTimeout(stop, abuseLimits.seconds * 1_000);
await Promise.all(clients.map(come));
process.stdout.write("ready\n");
