import type { Diagnosis } from "../doctor/diagnosis.ts";
import { doctorText } from "../doctor/text.ts";
import { paintFor } from "../text/colour.ts";
import type { Place } from "./fleet.ts";
import { gather } from "./gather.ts";
import { createProgress } from "./progress.ts";
import type { FleetQuestion } from "./status.ts";

/** Has every node's agent, or one node's, examine its node. Exit code 0: no errors, 1: some, or no agent, 3: no answer. */
export async function doctor(question: FleetQuestion & { readonly node: string | undefined }): Promise<number> {
  const { fleet, parallel, output, screen, node: only } = question;
  const one = only === undefined ? undefined : await fleet.place(only);
  const places = only === undefined ? (await fleet.places()).places : one === undefined ? [] : [one];
  if (places.length === 0) {
    screen.err(
      only === undefined ? "no agents found; see --agent-namespace and --selector\n" : `there is no node ${only}\n`,
    );
    return 1;
  }
  const paint = paintFor(screen.colour);
  const found: { readonly node: string; readonly findings?: readonly Diagnosis[]; readonly problem?: string }[] = [];
  {
    using progress = createProgress(screen, places.length, "nodes examined");
    for await (const result of gather(places, parallel, (place) => examine(question, place))) {
      progress.step();
      const { node } = result.item;
      const findings = "answer" in result ? result.answer : undefined;
      found.push("answer" in result ? { node, findings: result.answer } : { node, problem: result.problem });
      if (output === "json") continue;
      if (findings === undefined) {
        progress.print(
          `${paint.strong(node)}: ${paint.bad(`no answer: ${"problem" in result ? result.problem : ""}`)}\n`,
        );
        continue;
      }
      // Of many nodes only what is wrong is of interest.
      const told = only === undefined ? findings.filter(isTrouble) : findings;
      if (told.length === 0) progress.print(`${paint.strong(node)}: no errors, no warnings`);
      else progress.print([`${paint.strong(node)}:`, ...doctorText(told, paint)]);
    }
  }
  if (output === "json") screen.json({ nodes: found.toSorted((a, b) => a.node.localeCompare(b.node)) });
  if (found.some(({ findings }) => findings?.some(({ level }) => level === "error"))) return 1;
  return found.some(({ problem }) => problem !== undefined) ? 3 : 0;
}

function isTrouble({ level }: Diagnosis): boolean {
  return level === "error" || level === "warning";
}

async function examine({ fleet }: FleetQuestion, place: Place): Promise<readonly Diagnosis[]> {
  const { stdout, stderr } = await fleet.ask(place, ["doctor", "--as-agent", "--output=json"]);
  try {
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly Diagnosis[] };
    return findings;
  } catch (cause) {
    throw new Error(stderr.trim() || "its answer cannot be read", { cause });
  }
}
