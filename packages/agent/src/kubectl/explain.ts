import { parseAddress, parsePrefix } from "@ip-masq-agent/core";
import { linesOf } from "../output.ts";
import type { Fleet, Sender } from "./fleet.ts";
import type { Screen } from "./progress.ts";

export interface PacketQuestion {
  readonly fleet: Fleet;
  readonly namespace: string;
  readonly pod: string;
  readonly destination: string;
  /** Flags of the agent's own explain, handed on. */
  readonly more: readonly string[];
  readonly output: "text" | "json";
  readonly screen: Screen;
}

/** Asks the agent on a pod's node what becomes of the pod's packets. Exit code: that of the agent's explain. */
export async function explain(question: PacketQuestion): Promise<number> {
  const { fleet, screen, destination, output } = question;
  const sender = await fleet.sender(question.namespace, question.pod);
  const name = `${sender.namespace}/${sender.name}`;
  const refuse = (why: string) => {
    screen.err(`kubectl masq: ${why}\n`);
    return 1;
  };
  if (sender.node === "") return refuse(`pod ${name} is on no node yet`);
  if (sender.hostNetwork)
    return refuse(`pod ${name} uses its node's network: its packets carry the node's address, whatever the rules`);
  const from = addressFor(sender, destination);
  if (from === undefined) return refuse(`pod ${name} has no address of the family of ${destination}`);
  const place = await fleet.place(sender.node);
  if (place?.pod === undefined)
    return refuse(`${sender.node}, the pod's node: ${place?.trouble ?? "no agent runs there"}`);
  const words = ["explain", destination, `--from=${from}`, "--as-agent", `--output=${output}`, ...question.more];
  const { exitCode, stdout, stderr } = await fleet.ask(place, words);
  if (output === "text" && stdout !== "") screen.out(`pod ${name} (${from}) on ${sender.node}, says ${place.pod}:\n`);
  if (stdout !== "") screen.out(linesOf(stdout));
  if (stderr !== "") screen.err(linesOf(stderr));
  return exitCode;
}

/** The pod's address of the destination's family; the first one where that is a name, or nothing that we can read. */
function addressFor({ addresses }: Sender, destination: string): string | undefined {
  const prefix = destination.includes("/") ? parsePrefix(destination) : parseAddress(destination);
  const family = prefix !== undefined && "family" in prefix ? prefix.family : undefined;
  return addresses.find((address) => family === undefined || parseAddress(address)?.family === family);
}
