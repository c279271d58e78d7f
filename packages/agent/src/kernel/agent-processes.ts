import { basename } from "node:path";
import { commands } from "../flags/commands.ts";

/** What the search may look at; handed in, so that a test can make up a node. */
export interface ProcessView {
  /** The file's text; undefined where there is none, or none that may be read. */
  read(file: string): Promise<string | undefined>;
  /** Names in a directory; none where there is none. */
  list(directory: string): Promise<readonly string[]>;
  /** The network namespace of a process, as a text that is equal for equal ones; undefined: it cannot be seen. */
  namespaceOf(pid: string): Promise<string | undefined>;
}

/** An agent at work, ours or the original. */
export interface AgentProcess {
  readonly pid: string;
  readonly kind: "ip-masq-agent" | "the original";
}

/** Commands that only ask, or clean up, are no agent. */
const otherCommands: ReadonlySet<string> = new Set(commands.map(({ name }) => name).filter((name) => name !== "run"));

/** Agents in this network namespace, as far as this process sees others; neither it nor what started it. */
export async function agentProcesses(view: ProcessView): Promise<readonly AgentProcess[]> {
  const found: AgentProcess[] = [];
  const own = await ancestors(view);
  for (const pid of (await view.list("/proc")).filter((name) => /^\d+$/.test(name))) {
    if (own.has(pid) || !(await sharesNetwork(view, pid))) continue;
    const kind = agentOf(((await view.read(`/proc/${pid}/cmdline`)) ?? "").split("\0"));
    if (kind !== undefined) found.push({ pid, kind });
  }
  return found;
}

/**
 * The original by its name; ours by the file that Node runs, which has an extension where it was built and none in the
 * image. What only names that file (tini, a shell, an editor) is none.
 */
function agentOf([program = "", ...words]: readonly string[]): AgentProcess["kind"] | undefined {
  if (words.some((word) => otherCommands.has(word))) return undefined;
  if (/^ip-masq-agent(?:-v2)?$/.test(basename(program))) return "the original";
  const isOurs = /^node(?:js)?$/.test(basename(program)) && words.slice(0, 3).some((word) => ours.test(word));
  return isOurs ? "ip-masq-agent" : undefined;
}

const ours = /(?:^|\/)ip-masq-agent(?:\.js)?$/;

/** This process and those that started it: a shell's words are no agent. */
async function ancestors({ read }: ProcessView): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let pid = "self"; pid !== "0" && found.size < 100; ) {
    const status = await read(`/proc/${pid}/status`);
    if (status === undefined) break;
    found.add(/^Pid:\s*(\d+)/m.exec(status)?.[1] ?? "");
    pid = /^PPid:\s*(\d+)/m.exec(status)?.[1] ?? "0";
  }
  return found;
}

async function sharesNetwork({ namespaceOf }: ProcessView, pid: string): Promise<boolean> {
  const [own, other] = await Promise.all([namespaceOf("self"), namespaceOf(pid)]);
  return own !== undefined && own === other;
}
