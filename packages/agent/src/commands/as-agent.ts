import { askAgent, askFlags } from "../ask-agent.ts";
import { type CommandLine, parseCommandLine } from "../flags/options.ts";
import { agentFlags } from "../flags/table.ts";

/** Each says where the config is: of the agent's two, none is taken where the other is given. */
const instead: Readonly<Record<string, string>> = { config: "config-map", "config-map": "config" };

/** The command line with every flag that is not given taken from the agent that runs on this node; or what kept it. */
export async function asAgent(argv: readonly string[], line: CommandLine): Promise<CommandLine | { problem: string }> {
  const asked = await askFlags(line.options.metricsAddress);
  if ("problem" in asked) return asked;
  const taken = agentFlags.flatMap(({ name, default: fallback }) => {
    const value = asked.answer.values.get(name);
    const given = line.given.has(name) || line.given.has(instead[name] ?? "");
    // A path that the agent was given is one that must exist, also where it is the default.
    const isUsual = value === fallback && !(name === "config" && asked.answer.given.has(name));
    return given || value === undefined || isUsual ? [] : [`--${name}=${value}`];
  });
  const whole = parseCommandLine([...taken, ...argv]);
  if ("problem" in whole || !whole.options.configGiven || line.options.configGiven) return whole;
  const state = await askAgent(line.options.metricsAddress);
  const hasDefaults = "answer" in state && state.answer.config?.missing?.inForce === "defaults";
  // The agent had a config and lost it: then the defaults are in force, which a start would not take.
  return hasDefaults ? { ...whole, options: { ...whole.options, configGiven: false } } : whole;
}
