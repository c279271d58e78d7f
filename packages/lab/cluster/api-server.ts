import type { Agents } from "./agents.ts";
import { type Cluster, must } from "./cluster.ts";

/** The cluster's API server, to be taken away and brought back. */
export interface ApiServer {
  stop(): Promise<void>;
  /** Starts it as it was; `changes` replace flags of the same name. Resolves when it is ready. */
  start(changes?: Readonly<Record<string, string>>): Promise<void>;
  /** Has etcd forget all history. */
  compact(): Promise<void>;
}

const etcd = "http://127.0.0.1:2379/v3";

export async function apiServerOf(cluster: Cluster, agents: Agents): Promise<ApiServer> {
  const find = () => agents.processes(1, "/kube-apiserver ");
  const [pid] = await find();
  if (pid === undefined) throw new Error("no API server runs on node 1");
  const { stdout } = await cluster.onNode(1, ["cat", `/proc/${pid}/cmdline`]);
  const words = stdout.split("\0").filter(Boolean);
  return {
    async stop() {
      for (const own of await find()) await cluster.onNode(1, ["kill", "-9", own]);
    },
    async start(changes = {}) {
      const changed = words.map((word) => {
        const name = /^--([^=]+)=/.exec(word)?.[1];
        return name !== undefined && changes[name] !== undefined ? `--${name}=${changes[name]}` : word;
      });
      // It outlives the shell, and ends with the node.
      await cluster.onNode(1, ["sh", "-c", 'setsid "$@" >/dev/null 2>&1 </dev/null &', "sh", ...changed]);
      for (const until = performance.now() + 60_000; ; ) {
        const ready = await cluster.kubectl(["get", "--raw", "/readyz"]).catch(() => "");
        if (ready === "ok") return;
        if (performance.now() > until) throw new Error("the API server does not come back");
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    },
    async compact() {
      const ask = async (path: string, body: string) =>
        (await cluster.onNode(1, ["curl", "-s", "-X", "POST", `${etcd}/${path}`, "-d", body])).stdout;
      const status: unknown = JSON.parse(await ask("maintenance/status", "{}"));
      const revision = /"revision":\s*"(\d+)"/.exec(JSON.stringify(status))?.[1];
      if (revision === undefined) throw new Error("etcd does not tell its revision");
      await ask("kv/compaction", JSON.stringify({ revision }));
    },
  };
}

/** A key that no token was ever signed with. */
export async function strangeKey(file: string): Promise<void> {
  await must(["openssl", "genrsa", "-out", file, "2048"]);
}
