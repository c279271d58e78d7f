import type { Lab } from "@ip-masq-agent/lab";
import { sleep } from "./campaign.ts";

/** The address that a packet may leave with: the pod's own, or the node's. */
export type Source = "pod" | "node";

/** Destinations, and the sources that are right for each at this moment; several while a change is under way. */
export type Allowed = Readonly<Record<string, readonly Source[]>>;

/** Sends new connections all the time and judges each. */
export interface Traffic extends AsyncDisposable {
  /** From now on. A packet that was sent before is judged by what was right at either time. Undefined: not judged. */
  allow(allowed: Allowed | undefined): void;
  /** Packets judged so far. */
  judged(): number;
  /** What was wrong, in one line each. */
  readonly wrong: readonly string[];
}

const both: readonly Source[] = ["pod", "node"];
/** Packets of one round go out at once; a short rest leaves the processors to the agent. */
const restMs = 2;

/** Starts sending to the destinations of `first`. */
export function sendTraffic(lab: Lab, first: Allowed): Traffic {
  const destinations = Object.keys(first);
  const wrong: string[] = [];
  let allowed: Allowed | undefined = first;
  let judged = 0;
  let going = true;

  async function round(): Promise<void> {
    const before = allowed;
    const arrivals = await lab.send(destinations.map((destination) => ({ family: "IPv4", destination })));
    const after = allowed;
    if (before === undefined || after === undefined) return;
    for (const [at, destination] of destinations.entries()) {
      judged++;
      const source = arrivals[at]?.source;
      const found = source === lab.pod.IPv4 ? "pod" : source === lab.node.IPv4 ? "node" : undefined;
      const right = [...(before[destination] ?? both), ...(after[destination] ?? both)];
      if (found === undefined || !right.includes(found))
        wrong.push(
          `${destination} left by ${source ?? "no address: it did not arrive"}, right is ${right.join(" or ")}`,
        );
    }
  }

  const running = (async () => {
    while (going) {
      await round();
      await sleep(restMs);
    }
  })();
  return {
    allow(next) {
      allowed = next;
    },
    judged: () => judged,
    wrong,
    async [Symbol.asyncDispose]() {
      going = false;
      await running;
    },
  };
}
