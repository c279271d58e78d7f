import { credentialsOf, kubeConfigOf } from "../kubernetes/credentials.ts";
import { linesOf } from "../output.ts";
import { versionLine } from "../version.ts";
import { doctor } from "./doctor.ts";
import { explain } from "./explain.ts";
import { type PluginLine, parsePluginLine, pluginHelp } from "./flags.ts";
import { openFleet } from "./fleet.ts";
import type { Screen } from "./progress.ts";
import { status } from "./status.ts";

/** Command line → exit code, as `pluginHelp` lists them. */
export async function main(argv: readonly string[], screen: Screen): Promise<number> {
  const line = parsePluginLine(argv);
  if ("problem" in line) {
    screen.err(`kubectl masq: ${line.problem}; see kubectl masq --help\n`);
    return 2;
  }
  if (line.command === "help") {
    screen.out(linesOf(pluginHelp()));
    return 0;
  }
  if (line.command === "version") {
    screen.out(versionLine("kubectl-masq"));
    return 0;
  }
  try {
    return await execute(line, screen);
  } catch (error) {
    // A defect of ours, and not one of the user's kubeconfig or cluster.
    if (error instanceof TypeError || error instanceof ReferenceError) throw error;
    screen.err(`kubectl masq: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function execute(
  { command, words: [first = "", second = ""], options }: PluginLine,
  screen: Screen,
): Promise<number> {
  const { kubeconfig, context, agentNamespace: namespace, selector, timeoutMs, parallel, output } = options;
  const config = kubeConfigOf({ kubeconfig, ...(context !== undefined && { context }) });
  credentialsOf(config);
  const fleet = openFleet({ config, namespace, selector, timeoutMs });
  const question = { fleet, parallel, output, screen };
  if (command === "status") return status(question);
  if (command === "doctor") return doctor({ ...question, node: first || undefined });
  const own = config.getContextObject(config.getCurrentContext())?.namespace ?? "default";
  const sender = { namespace: options.namespace ?? own, pod: first, destination: second, more: options.packet };
  return explain({ fleet, output, screen, ...sender });
}
