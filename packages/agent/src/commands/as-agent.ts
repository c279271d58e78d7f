import { askFlags } from "../ask-agent.ts";
import { type CommandLine, parseCommandLine } from "../flags/options.ts";
import { agentFlags } from "../flags/table.ts";

/** Each says where the config is: of the agent's two, none is taken where the other is given. */
const instead: Readonly<Record<string, string>> = { config: "config-map", "config-map": "config" };

/** The command line with every flag that is not given taken from the agent that runs on this node; or what kept it. */
export async function asAgent(argv: readonly string[], line: CommandLine): Promise<CommandLine | { problem: string }> {
  const asked = await askFlags(line.options.metricsAddress);
  if ("problem" in asked) return asked;
  const taken = agentFlags.flatMap(({ name, default: fallback }) => {
    const value = asked.answer.get(name);
    const given = line.given.has(name) || line.given.has(instead[name] ?? "");
    return given || value === undefined || value === fallback ? [] : [`--${name}=${value}`];
  });
  return parseCommandLine([...taken, ...argv]);
}
