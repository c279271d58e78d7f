// A program for pods of a workload: sends new flows to every target, each with a source port of its own, for ever. What a
// packet says: the pod's address, the target, a number.
import { createSocket } from "node:dgram";

const { POD_IP, TARGETS = "", RATE = "60", PORT = "7777" } = process.env;
let [sourcePort, count] = [10_000, 0];

setInterval(() => {
  for (const target of TARGETS.split(",")) {
    // In turn, not at random: a port used again soon would belong to an earlier flow, and get that flow's decision.
    sourcePort = sourcePort === 59_999 ? 10_000 : sourcePort + 1;
    const socket = createSocket("udp4");
    socket.on("error", () => socket.close());
    socket.bind(sourcePort, () => {
      socket.send(`${POD_IP} ${target} ${++count}`, Number(PORT), target, () => socket.close());
    });
  }
}, 1000 / Number(RATE));
process.on("SIGTERM", () => process.exit(0));
