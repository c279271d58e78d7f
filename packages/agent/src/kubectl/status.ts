import type { Status } from "../status/status.ts";
import { type Paint, paintFor } from "../text/colour.ts";
import type { Fleet, Place } from "./fleet.ts";
import { gather } from "./gather.ts";
import { createProgress, type Screen } from "./progress.ts";
import { type Difference, differences, type Summary, summaryOf } from "./summary.ts";

export interface FleetQuestion {
  readonly fleet: Fleet;
  readonly parallel: number;
  readonly output: "text" | "json";
  readonly screen: Screen;
}

/** Shows every node's agent as it answers, then who differs. Exit code 0: all in sync and alike, 1: none found, 3: not so. */
export async function status({ fleet, parallel, output, screen }: FleetQuestion): Promise<number> {
  const { places, incomplete } = await fleet.places();
  if (incomplete !== undefined) screen.err(`nodes without an agent are not shown: ${incomplete}\n`);
  if (places.length === 0) {
    screen.err("no agents found; see --agent-namespace and --selector\n");
    return 1;
  }
  const paint = paintFor(screen.colour);
  const width = Math.max(4, ...places.map(({ node }) => node.length));
  const summaries = new Map<string, Summary>();
  const problems = new Map<string, string>();
  {
    using progress = createProgress(screen, places.length, "nodes have answered");
    if (output === "text") progress.print(row(["NODE", "BACKEND", "POLICY", "RULES", "DRIFTS/H", "WARNINGS"], width));
    for await (const result of gather(places, parallel, (place) => summarise(fleet, place))) {
      progress.step();
      const { node } = result.item;
      if ("answer" in result) summaries.set(node, result.answer);
      else problems.set(node, result.problem);
      if (output === "text")
        progress.print(
          "answer" in result ? line(node, result.answer, width, paint) : silent(node, result.problem, width, paint),
        );
    }
  }
  const differing = differences(summaries);
  const isWell = problems.size === 0 && differing.length === 0 && [...summaries.values()].every(({ inSync }) => inSync);
  if (output === "json") {
    const nodes = places.map(({ node }) => ({ node, ...(summaries.get(node) ?? { problem: problems.get(node) }) }));
    screen.json({ nodes, differences: differing, ...(incomplete && { incomplete }) });
  } else screen.out(ending(summaries, problems.size, differing, paint));
  return isWell ? 0 : 3;
}

async function summarise(fleet: Fleet, place: Place): Promise<Summary> {
  const { exitCode, stdout, stderr } = await fleet.ask(place, ["status", "--output=json"]);
  if (exitCode !== 0 && exitCode !== 3) throw new Error(stderr.trim() || `its status command ended with ${exitCode}`);
  try {
    return summaryOf(JSON.parse(stdout) as Status, Date.now());
  } catch (cause) {
    throw new Error("its answer cannot be read; is it an ip-masq-agent of this kind?", { cause });
  }
}

const widths = [22, 12, 12, 8, 8] as const;

function row([node = "", ...cells]: readonly string[], width: number): string {
  const padded = cells.map((cell, at) => cell.padEnd(widths[at] ?? 0));
  return [node.padEnd(width), ...padded].join("  ").trimEnd();
}

function line(node: string, summary: Summary, width: number, paint: Paint): readonly string[] {
  const { backend, toolVersion, policy, inSync, drifts, driftsAtLeast, warnings, notReady, refused, missing } = summary;
  const rules = inSync ? "in sync" : "not in sync";
  const text = row(
    [
      node,
      `${backend} ${toolVersion}`.trim(),
      policy || "none",
      rules,
      `${drifts}${driftsAtLeast ? "+" : ""}`,
      `${warnings}`,
    ],
    width,
  );
  const notes = [notReady, refused, missing].filter((note) => note !== undefined);
  const more = [...new Set(notes)].map((note) => `${" ".repeat(width)}  ${paint.bad(note)}`);
  return [inSync ? text.replace(rules, paint.good(rules)) : text.replace(rules, paint.bad(rules)), ...more];
}

function silent(node: string, problem: string, width: number, paint: Paint): string {
  return `${node.padEnd(width)}  ${paint.bad(`no answer: ${problem}`)}`;
}

/** Which nodes differ, and how many did not answer. */
function ending(
  summaries: ReadonlyMap<string, Summary>,
  silentOnes: number,
  differing: readonly Difference[],
  paint: Paint,
): readonly string[] {
  const lines = differing.map(({ what, value, majority, nodes }) => {
    const which = nodes.length <= 5 ? nodes.join(", ") : `${nodes.slice(0, 5).join(", ")} and ${nodes.length - 5} more`;
    const rest = majority === undefined ? "there is no majority" : `the majority has ${majority || "none"}`;
    return paint.warn(`${which}: ${what} ${value || "none"}; ${rest}`);
  });
  const inSync = [...summaries.values()].filter((summary) => summary.inSync).length;
  const without = silentOnes === 0 ? "" : `, ${silentOnes} without an answer`;
  return ["", ...lines, `${summaries.size + silentOnes} nodes: ${inSync} in sync${without}`];
}
