import { Writable } from "node:stream";
import { Exec, type KubeConfig, type V1Status } from "@kubernetes/client-node";

/** What a command in a pod said, and how it ended. */
export interface PodAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PodCommand {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** Runs a command in a pod with the user's own credentials. Rejects with why there was no answer, in one sentence. */
export async function execInPod(config: KubeConfig, call: PodCommand): Promise<PodAnswer> {
  const { namespace, pod, container, command, timeoutMs } = call;
  const [stdout, stderr] = [collector(), collector()];
  const { promise, resolve, reject } = Promise.withResolvers<V1Status>();
  const timer = setTimeout(() => reject(new Error(`nothing came in ${timeoutMs / 1000} s`)), timeoutMs);
  const streams = [stdout.stream, stderr.stream, null, false] as const;
  const connecting = new Exec(config).exec(namespace, pod, container, [...command], ...streams, resolve);
  try {
    connecting.then(
      (socket) => {
        socket.onclose = () => reject(new Error("the connection was closed before the command ended"));
      },
      (cause: unknown) => reject(new Error(whyNot(namespace, cause))),
    );
    const status = await promise;
    return { exitCode: exitCodeOf(status), stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    clearTimeout(timer);
    // Whatever is still on its way is of no use to anybody.
    connecting.then(
      (socket) => socket.close(),
      () => {},
    );
  }
}

function collector(): { readonly stream: Writable; text(): string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

/** kubelet's words for how a command ended: nothing for 0, a cause ExitCode for any other. */
function exitCodeOf({ status, message, details }: V1Status): number {
  if (status === "Success") return 0;
  const code = details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (code !== undefined) return Number(code);
  throw new Error(message ?? "the command could not be started");
}

function whyNot(namespace: string, cause: unknown): string {
  const said =
    typeof cause === "object" && cause !== null && "message" in cause ? String(cause.message) : String(cause);
  const code = /Unexpected server response: (\d+)/.exec(said)?.[1];
  if (code === "403")
    return `may not run commands in pods of namespace ${namespace}: it takes the verbs get and create on pods/exec there`;
  if (code === "401") return "the API server does not accept your credentials";
  return code === undefined ? said : `the API server does not reach the node's kubelet, or it refuses (HTTP ${code})`;
}
