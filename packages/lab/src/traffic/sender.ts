// Runs in the pod's namespace: sends each packet it is told to from a socket of its own, so that each is a new flow.
import { createSocket } from "node:dgram";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { port, type SendLine } from "./protocol.ts";

/** Sockets open at the same time; more only fill the kernel's queues, and packets are lost there. */
const atOnce = 64;
const waiting: SendLine[] = [];
let open = 0;

function next(): void {
  while (open < atOnce) {
    const line = waiting.shift();
    if (line === undefined) return;
    open++;
    (line.protocol === "tcp" ? connect : datagram)(line, () => {
      open--;
      next();
    });
  }
}

function datagram({ id, address, version }: SendLine, done: () => void): void {
  const socket = createSocket(version === 4 ? "udp4" : "udp6");
  // A destination that cannot be reached is one that does not arrive: the lab says so.
  socket.on("error", () => {});
  socket.send(`${id}`, port, address, () => {
    socket.close();
    done();
  });
}

function connect({ id, address }: SendLine, done: () => void): void {
  const socket = createConnection({ host: address, port, timeout: 2000 });
  socket.on("connect", () => socket.end(`${id}`));
  socket.on("timeout", () => socket.destroy());
  socket.on("error", () => {});
  socket.on("close", done);
  socket.resume();
}

createInterface({ input: process.stdin }).on("line", (line) => {
  waiting.push(...(JSON.parse(line) as SendLine[]));
  next();
});
process.stdout.write("ready\n");
