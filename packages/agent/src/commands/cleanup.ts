import { asBackendError, type Backend, type Family, families } from "@ip-masq-agent/core";
import { askAgent, placeOf } from "../ask-agent.ts";
import { backendNames, createBackend } from "../backends.ts";
import { listIfThere, networkNamespaceOf, readIfThere } from "../doctor/examination.ts";
import type { Options } from "../flags/flag.ts";
import { agentProcesses } from "../kernel/agent-processes.ts";
import { createLifecycle } from "../lifecycle.ts";
import type { Output } from "../output.ts";
import { lockName } from "../running/instance-lock.ts";
import { columns } from "../text/columns.ts";

/** What one backend has of ours in one family, or had, or why that cannot be told. */
interface Belongings {
  readonly backend: string;
  readonly family: Family;
  readonly own: readonly string[];
  readonly error?: string;
}

/**
 * Removes what any backend of ours, or the original, left in the kernel; does not read the config. Exit code 0: it is
 * gone; 1: an agent runs, or something could not be removed; 3, with --dry-run: there is something to remove.
 */
export async function cleanup(options: Options, output: Output): Promise<number> {
  const signal = AbortSignal.timeout(120_000);
  if (options.dryRun) return list(options, output, signal);
  const agents = await runningAgents(options);
  if (agents.length > 0) {
    const what = `an agent runs on this node and would write its rules again (${agents.join("; ")})`;
    output.err(
      options.force
        ? `warning: ${what}\n`
        : `ip-masq-agent: ${what}: nothing was removed; stop the agent first, or use --force\n`,
    );
    if (!options.force) return 1;
  }
  const found = await everywhere(options, (backend, family) => backend.cleanup(family, signal));
  tell(output, options, { title: "removed", none: "nothing of ours was there", key: "removed" }, found);
  if (found.some(failed)) return 1;
  if (options.stay) {
    await using lifecycle = createLifecycle();
    // A signal's listener alone keeps no process alive.
    using _alive = systemTicks();
    await lifecycle.stopped;
  }
  return 0;
}

async function list(options: Options, output: Output, signal: AbortSignal): Promise<number> {
  const found = await everywhere(options, (backend, family) => backend.removable(family, signal));
  tell(output, options, { title: "would remove", none: "nothing of ours is there", key: "wouldRemove" }, found);
  if (found.some(failed)) return 1;
  return found.some(({ own }) => own.length > 0) ? 3 : 0;
}

/**
 * Agents that would write again what is removed, as far as can be told: one that holds the lock of this network namespace
 * or answers where --metrics-address says, and processes that are seen. A pod sees none but its own, and the original has
 * no lock.
 */
async function runningAgents({ metricsAddress }: Options): Promise<readonly string[]> {
  const [asked, sockets, processes] = await Promise.all([
    askAgent(metricsAddress),
    readIfThere("/proc/net/unix"),
    agentProcesses({ read: readIfThere, list: listIfThere, namespaceOf: networkNamespaceOf }),
  ]);
  const answers = "answer" in asked && metricsAddress !== undefined;
  return [
    ...(holdsLock(sockets) ? ["one holds the lock of this network namespace"] : []),
    ...(answers ? [`one answers at ${placeOf(metricsAddress)}`] : []),
    ...processes.map(({ pid, kind }) => `${kind}, pid ${pid}`),
  ];
}

/** Read and not connected to: the agent would take us for another one that waits. An abstract name begins with @ there. */
function holdsLock(sockets = ""): boolean {
  const name = lockName.replace("\0", "@");
  return sockets.split("\n").some((line) => line.endsWith(` ${name}`));
}

/** Every backend and family, one after the other: they share the kernel's lock. */
async function everywhere(
  { masqChain: chain }: Options,
  ask: (backend: Backend, family: Family) => Promise<readonly string[]>,
): Promise<readonly Belongings[]> {
  const found: Belongings[] = [];
  for (const name of backendNames) {
    const backend = await createBackend(name, { chain });
    for (const family of families) {
      try {
        found.push({ backend: name, family, own: await ask(backend, family) });
      } catch (cause) {
        found.push({ backend: name, family, own: [], error: asBackendError(cause, name, family).message });
      }
    }
  }
  return found;
}

function failed({ error }: Belongings): boolean {
  return error !== undefined;
}

interface Words {
  readonly title: string;
  readonly none: string;
  readonly key: "removed" | "wouldRemove";
}

function tell(output: Output, options: Options, { title, none, key }: Words, found: readonly Belongings[]): void {
  if (options.output === "json") {
    const removals = found.map(({ own, ...rest }) => ({ ...rest, [key]: own }));
    output.json({ removals });
    return;
  }
  const rows = found.flatMap(({ backend, family, own }) => own.map((what) => [backend, family, what]));
  if (rows.length > 0) output.out([title, ...columns(rows, "  ")]);
  else if (!found.some(failed)) output.out(`${none}\n`);
  for (const { backend, family, error } of found.filter(failed)) output.err(`error: ${backend} ${family}: ${error}\n`);
}

function systemTicks(): Disposable {
  const timer = setInterval(() => {}, 2 ** 30);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
