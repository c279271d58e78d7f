import { askAgent } from "../ask-agent.ts";
import type { Options } from "../flags/flag.ts";
import type { Output } from "../output.ts";
import { statusText } from "../status/text.ts";
import { paintFor } from "../text/colour.ts";

/** Shows the running agent's state. Exit code 0: rules in force, 1: no agent answers, 3: it runs, but they are not. */
export async function status(options: Options, output: Output): Promise<number> {
  const asked = await askAgent(options.metricsAddress);
  if ("problem" in asked) {
    output.err(`ip-masq-agent: ${asked.problem}\n`);
    return 1;
  }
  const { answer: state } = asked;
  if (options.output === "json") output.json(state);
  else output.out(statusText(state, paintFor(output.colour)));
  return state.notReady === undefined ? 0 : 3;
}
