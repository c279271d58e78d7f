import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** A port of 127.0.0.1: the one on which `server` listens from now on, or without one a port that is free now. */
export async function endpoint(server?: Server): Promise<number> {
  const listening = server ?? createServer();
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  const address = listening.address();
  if (server === undefined) {
    listening.close();
    await once(listening, "close");
  }
  if (typeof address !== "object" || address === null) throw new Error("no port could be had");
  return address.port;
}
