// Runs in the node's namespace: a Unix socket, which namespaces share, leads to the agent's metrics port, which they do not.
import { createConnection, createServer } from "node:net";

const [path = "", port = ""] = process.argv.slice(2);
createServer((client) => {
  const agent = createConnection(Number(port), "127.0.0.1");
  client.pipe(agent).pipe(client);
  for (const socket of [client, agent]) socket.on("error", () => socket.destroy());
}).listen(path, () => process.stdout.write("ready\n"));
process.stdin.on("end", () => process.exit(0)).resume();
