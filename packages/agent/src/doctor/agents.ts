import { agentProcesses } from "../kernel/agent-processes.ts";
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

async function processes(node: Node): Promise<readonly Diagnosis[]> {
  const found = (await agentProcesses(node)).map(({ pid, kind }) => `${kind} (pid ${pid})`);
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
