// A program, run on the outside host: tells of every packet that arrives, `SOURCE PAYLOAD` on a line of stdout.
import { createSocket } from "node:dgram";

let lines = "";
const socket = createSocket("udp4");
socket.on("message", (payload, { address }) => {
  if (lines === "") {
    setImmediate(() => {
      process.stdout.write(lines);
      lines = "";
    });
  }
  lines += `${address} ${payload.toString("latin1")}\n`;
});
socket.bind(Number(process.env["PORT"] ?? "7777"), "0.0.0.0", () => process.stdout.write("ready\n"));
process.stdin.on("end", () => process.exit(0)).resume();
