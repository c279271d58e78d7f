import { connect } from "node:net";
import { type Instance, instanceIn } from "./instance.ts";

/**
 * What the process says that has the lock. `gone`: nobody answers at the name any more. `silent`: a process has it, and
 * does not answer as an agent does.
 */
export type HolderAnswer =
  | { readonly kind: "agent"; readonly instance: Instance; readonly gone: Promise<void>; leave(): void }
  | { readonly kind: "gone" }
  | { readonly kind: "silent" };

/** A busy agent answers late; one that is stopped does not at all, and must not keep another from its work. */
const defaultAnswerMs = 10_000;
const longestLine = 4_096;

/**
 * Asks who has the lock. `line` says who asks; without it the holder is told nothing. The connection is kept until `leave`:
 * its end tells at once that the holder has ended.
 */
export async function askHolder(
  name: string,
  line: string | undefined,
  signal: AbortSignal,
  answerMs: number = defaultAnswerMs,
): Promise<HolderAnswer> {
  const { promise, resolve } = Promise.withResolvers<HolderAnswer>();
  const gone = Promise.withResolvers<void>();
  const socket = connect(name);
  let said = "";
  const silent = () => {
    resolve({ kind: "silent" });
    socket.destroy();
  };
  const timer = setTimeout(silent, answerMs);
  const stop = () => socket.destroy();
  signal.addEventListener("abort", stop, { once: true });
  if (line !== undefined) socket.on("connect", () => socket.write(line));
  // Its end follows, as "close".
  socket.on("error", () => {});
  socket.setEncoding("utf8").on("data", (text: string) => {
    if (said.includes("\n")) return;
    said += text;
    if (!said.includes("\n") && said.length <= longestLine) return;
    const instance = instanceIn(said.slice(0, said.indexOf("\n")));
    if (instance === undefined) silent();
    else resolve({ kind: "agent", instance, gone: gone.promise, leave: stop });
  });
  socket.on("end", () => socket.end());
  socket.on("close", () => {
    signal.removeEventListener("abort", stop);
    resolve({ kind: "gone" });
    gone.resolve();
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
