import { asBackendError, families } from "@ip-masq-agent/core";
import { askAgent } from "../ask-agent.ts";
import { backendNames, createBackend } from "../backends.ts";
import type { Options } from "../flags/flag.ts";
import { createLifecycle } from "../lifecycle.ts";
import type { Output } from "../output.ts";
import { columns } from "../text/columns.ts";

/** What one backend had of ours in one family. */
interface Removal {
  readonly backend: string;
  readonly family: string;
  readonly removed: readonly string[];
  readonly error?: string;
}

/** Removes what any backend of ours, or the original, left in the kernel; does not read the config. Exit code 0 or 1. */
export async function cleanup(options: Options, output: Output): Promise<number> {
  const signal = AbortSignal.timeout(120_000);
  const agent = await askAgent(options.metricsAddress);
  if ("answer" in agent) {
    output.err("warning: an agent runs on this node and will write its rules again; stop it first\n");
  }
  const removals: Removal[] = [];
  for (const name of backendNames) {
    const backend = await createBackend(name, { chain: options.masqChain });
    for (const family of families) {
      try {
        removals.push({ backend: name, family, removed: await backend.cleanup(family, signal) });
      } catch (cause) {
        removals.push({ backend: name, family, removed: [], error: asBackendError(cause, name, family).message });
      }
    }
  }
  const failed = removals.filter(({ error }) => error !== undefined);
  if (options.output === "json") output.json({ removals });
  else {
    const rows = removals.flatMap(({ backend, family, removed }) => removed.map((what) => [backend, family, what]));
    output.out(rows.length === 0 ? "nothing of ours was there" : ["removed", ...columns(rows, "  ")]);
    for (const { backend, family, error } of failed) output.err(`error: ${backend} ${family}: ${error}\n`);
  }
  if (options.stay && failed.length === 0) {
    await using lifecycle = createLifecycle();
    // A signal's listener alone keeps no process alive.
    using _alive = systemTicks();
    await lifecycle.stopped;
  }
  return failed.length === 0 ? 0 : 1;
}

function systemTicks(): Disposable {
  const timer = setInterval(() => {}, 2 ** 30);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
