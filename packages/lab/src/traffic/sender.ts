/**
 * A program, run in the pod: sends one packet for each entry of the lists that come on stdin, one list a line.
 * Tells on stdout which packets could not be sent. Ends with its stdin.
 */
import { createSocket, type Socket } from "node:dgram";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { type FailureLine, port, type SendEntry, type SendLine } from "./protocol.ts";

const connectLimitMs = 2_000;

/**
 * Source ports are used in turn, not left to the kernel's random choice, which comes back to a port so soon that the
 * packet would belong to an earlier flow to the same address, and get that flow's decision.
 */
const sourcePorts = { first: 10_000, last: 59_999 };
let sourcePort = sourcePorts.first;

process.stdout.write("ready\n");
for await (const text of createInterface({ input: process.stdin })) {
  for (const entry of JSON.parse(text) as SendLine) send(entry);
}
process.exit(0);

function send([id, family, destination, protocol]: SendEntry): void {
  sourcePort = sourcePort === sourcePorts.last ? sourcePorts.first : sourcePort + 1;
  if (protocol === "tcp") {
    const connection = createConnection({ host: destination, port, localPort: sourcePort }, () => {
      connection.write(String(id));
    });
    // A refused or unanswered connection did not arrive; that is an answer, not a failure.
    connection.on("error", () => connection.destroy());
    connection.setTimeout(connectLimitMs, () => connection.destroy());
    return;
  }
  const socket = createSocket(family === "IPv4" ? "udp4" : "udp6");
  socket.on("error", (error) => fail(id, error, socket));
  socket.bind({ port: sourcePort, exclusive: true }, () => {
    socket.send(String(id), port, destination, (error) => (error ? fail(id, error, socket) : socket.close()));
  });
}

function fail(id: number, error: Error, socket: Socket): void {
  process.stdout.write(`${JSON.stringify([id, error.message] satisfies FailureLine)}\n`);
  socket.close();
}
