import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";

/** More than one agent at work, or the rules of more than one. */
export const agents: Check = {
  name: "agents",
  look: async (node) => [...(await processes(node)), ...(await rules(node))],
};

async function rules({ sightings, families, options }: Node): Promise<readonly Diagnosis[]> {
  const seen = await sightings();
  return families.flatMap((family): readonly Diagnosis[] => {
    const own = seen.filter((one) => one.family === family);
    const unread = own.flatMap((one) =>
      "error" in one
        ? [note("info", "rules", `${family}: ${one.backend.name} cannot be looked at: ${one.error.message}`)]
        : [],
    );
    // A backend that cannot be looked at is not one that has rules.
    const backends = own.flatMap((one) => ("seen" in one ? [one.backend.name] : []));
    if (backends.length === 0) return [...unread, note("info", "rules", `${family}: none of ours yet`)];
    if (backends.length === 1) return [...unread, note("ok", "rules", `${family}: ${backends[0]}`)];
    return [
      ...unread,
      trouble(
        "error",
        "rules",
        `${family}: rules of ${backends.join(" and ")} at once`,
        "a packet is masqueraded if either says so: two agents, or one that could not remove what the last run left",
        `stop all agents but one; it removes the others' rules at its start (here: --backend=${options.backend}), as ip-masq-agent cleanup does`,
      ),
    ];
  });
}

/** Processes in this network namespace: the original by its name, ours by its file. */
async function processes(node: Node): Promise<readonly Diagnosis[]> {
  const found: string[] = [];
  const own = await ancestors(node);
  for (const pid of (await node.list("/proc")).filter((name) => /^\d+$/.test(name))) {
    if (own.has(pid) || !(await sharesNetwork(node, pid))) continue;
    const words = ((await node.read(`/proc/${pid}/cmdline`)) ?? "").split("\0");
    const [program = ""] = words;
    const isOriginal = /(?:^|\/)ip-masq-agent(?:-v2)?$/.test(program);
    const isOurs = words.slice(0, 4).some((word) => /(?:^|\/)ip-masq-agent\.js$/.test(word));
    const isCommand = /^(?:validate|explain|plan|status|doctor|cleanup|completion)$/;
    if ((isOriginal || isOurs) && !words.some((word) => isCommand.test(word)))
      found.push(`${isOurs ? "ip-masq-agent" : "the original"} (pid ${pid})`);
  }
  if (found.length === 0) return [note("info", "agents", "none runs in this network namespace, as far as can be seen")];
  if (found.length === 1) return [note("ok", "agents", `${found[0]}`)];
  return [
    trouble(
      "error",
      "agents",
      `${found.length} run on this node: ${found.join(", ")}`,
      "each undoes what the other writes, or masquerades what the other exempts",
      "run one of them: delete the DaemonSet of the other",
    ),
  ];
}

/** This process and those that started it: a shell's words are no agent. */
async function ancestors({ read }: Node): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let pid = "self"; pid !== "0" && found.size < 100; ) {
    const status = await read(`/proc/${pid}/status`);
    if (status === undefined) break;
    found.add(/^Pid:\s*(\d+)/m.exec(status)?.[1] ?? "");
    pid = /^PPid:\s*(\d+)/m.exec(status)?.[1] ?? "0";
  }
  return found;
}

async function sharesNetwork({ namespaceOf }: Node, pid: string): Promise<boolean> {
  const [own, other] = await Promise.all([namespaceOf("self"), namespaceOf(pid)]);
  return own !== undefined && own === other;
}
