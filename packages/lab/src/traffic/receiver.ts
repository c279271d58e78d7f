// Runs in the outside host's namespace: tells of every packet by its number, from whom it seems to come.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { type ArrivalLine, port } from "./protocol.ts";

function tell(arrival: ArrivalLine): void {
  process.stdout.write(`${JSON.stringify(arrival)}\n`);
}

for (const [type, any] of [
  ["udp4", "0.0.0.0"],
  ["udp6", "::"],
] as const) {
  const socket = createSocket({ type, ipv6Only: type === "udp6", recvBufferSize: 4 * 1024 * 1024 });
  socket.on("message", (message, from) => tell({ id: Number(message), source: from.address, sourcePort: from.port }));
  socket.bind(port, any);
}

const server = createServer((socket) => {
  const source = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  const sourcePort = socket.remotePort ?? 0;
  socket.on("data", (data) => {
    tell({ id: Number(data), source, sourcePort });
    socket.end();
  });
  socket.on("error", () => {});
});
server.listen(port, "::", () => process.stdout.write("ready\n"));
// The lab holds our standard input; when it ends, so do we.
process.stdin.on("end", () => process.exit(0)).resume();
