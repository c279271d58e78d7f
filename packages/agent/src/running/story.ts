import { type Conflict, describeKinds, type Family, type ReconcileEvent } from "@ip-masq-agent/core";

/** Something that whoever looks at the node should know. */
export interface Story {
  /** In CamelCase, as Kubernetes' own; one for each kind of story. */
  readonly reason: StoryReason;
  readonly type: "Normal" | "Warning";
  readonly message: string;
}

export type StoryReason =
  | "ConfigRejected"
  | "ConfigAccepted"
  | "ConfigMissing"
  | "ConfigFound"
  | "DriftRepaired"
  | "RulesContested"
  | "RulesUncontested"
  | "BackendSwitched"
  | "ApplyFailed"
  | "ApplyRecovered";

/** What happens on the node, told as stories; what goes on as it was is none. */
export interface Narrator {
  onEvent(event: ReconcileEvent): void;
  /** No backend could be started. */
  onStartFailed(message: string): void;
  onStarted(): void;
  configRejected(why: string): void;
  configAccepted(hash: string): void;
  /** There is no config, though one is called for. */
  configMissing(why: string): void;
  /** There is one; it may yet be refused. */
  configFound(): void;
}

export function createNarrator(tell: (story: Story) => void, backend: () => string): Narrator {
  let rejected = false;
  let missing = false;
  const failing = new Set<Family | "start">();
  /** In a conflict: neither each repair nor each that is undone is a story of its own. */
  const contested = new Set<Family>();
  /** The last drift of each family, for the words about its repair. */
  const drifts = new Map<Family, string>();
  const switchedFrom = new Set<string>();

  function recovered(who: Family | "start", what: string): void {
    if (failing.delete(who)) tell({ reason: "ApplyRecovered", type: "Normal", message: what });
  }

  function tellConflict({ backend, family, state, since, undone, by }: Conflict): void {
    if (state === "goes on") return;
    const who = by === undefined ? "" : `, the last time by ${by.process} (pid ${by.pid})`;
    const times = `${undone} times since ${new Date(since).toISOString()}${who}`;
    if (state === "begins") {
      contested.add(family);
      const message = `Another program undoes the repair of masquerade rules (${family}, ${backend}): ${times}`;
      tell({ reason: "RulesContested", type: "Warning", message });
    } else {
      contested.delete(family);
      const message = `Masquerade rules stand again (${family}, ${backend}); they were changed ${times}`;
      tell({ reason: "RulesUncontested", type: "Normal", message });
    }
  }

  return {
    onEvent(event) {
      const { family } = event;
      if (event.type === "drift") {
        const { differences, by } = event;
        const who = by === undefined ? "" : `, by ${by.process} (pid ${by.pid})`;
        drifts.set(family, `${family}, ${event.backend}: ${describeKinds(differences)}${who}`);
      } else if (event.type === "conflict") {
        tellConflict(event);
      } else if (event.type === "removed") {
        if (event.what.length === 0 || event.backend === backend() || switchedFrom.has(event.backend)) return;
        switchedFrom.add(event.backend);
        const message = `Masquerade rules are in ${backend()} now; those in ${event.backend} have been removed`;
        tell({ reason: "BackendSwitched", type: "Normal", message });
      } else if (event.type === "synced") {
        if (event.undone && contested.has(family)) return;
        if (event.error !== undefined) {
          if (!failing.has(family)) {
            const message = `Masquerade rules cannot be kept (${family}, ${event.backend}): ${event.error.message}`;
            tell({ reason: "ApplyFailed", type: "Warning", message });
          }
          failing.add(family);
          return;
        }
        recovered(family, `Masquerade rules are in force again (${family}, ${event.backend})`);
        if (event.repair?.result === "repaired" && !contested.has(family)) {
          const message = `Masquerade rules were changed by others, and repaired; the last time ${drifts.get(family) ?? family}`;
          tell({ reason: "DriftRepaired", type: "Warning", message });
        }
      }
    },
    onStartFailed(message) {
      if (!failing.has("start")) tell({ reason: "ApplyFailed", type: "Warning", message });
      failing.add("start");
    },
    onStarted: () => recovered("start", `The backend ${backend()} could be started`),
    configRejected(why) {
      rejected = true;
      tell({ reason: "ConfigRejected", type: "Warning", message: `The config is refused: ${why}` });
    },
    configAccepted(hash) {
      if (rejected)
        tell({ reason: "ConfigAccepted", type: "Normal", message: `The config is valid again (policy ${hash})` });
      rejected = false;
    },
    configMissing(why) {
      if (!missing) tell({ reason: "ConfigMissing", type: "Warning", message: `There is no config: ${why}` });
      missing = true;
    },
    configFound() {
      if (missing) tell({ reason: "ConfigFound", type: "Normal", message: "There is a config again" });
      missing = false;
    },
  };
}
