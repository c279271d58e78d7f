import type { Family } from "./address/family.ts";
import { readPrefix } from "./address/kernel-text.ts";
import { formatSet, prefixSet } from "./address/prefix-set.ts";
import type { Capabilities } from "./backend/capabilities.ts";
import { type Backend, noCounters, type Observation, type Ruleset } from "./backend/contract.ts";
import type { Difference } from "./backend/drift.ts";
import { BackendError, type FailureReason, type Operation } from "./backend/error.ts";
import type { FamilyPolicy } from "./policy/policy.ts";
import { formatPortRange } from "./policy/translation.ts";

/** Rules as lines: `exempt 10.0.0.0/8`, …, and last the translation. */
export interface MemoryRuleset extends Ruleset {
  readonly lines: readonly string[];
}

export interface MemoryObservation extends Observation {
  readonly lines: readonly string[] | undefined;
}

/** A kernel made of memory: shared by backends as nodes share a kernel; tests tamper with `lines` directly. */
export interface MemoryKernel {
  readonly lines: Map<Family, readonly string[]>;
  /** Every transaction applied, in order. */
  readonly written: string[];
}

/** Faults, each for the next operation of its kind and then gone, if it is not said otherwise. */
export interface MemoryFaults {
  /** Fails the next such operation with this reason. */
  fail(operation: Operation, reason: FailureReason, family?: Family): void;
  /** The next such operation does not end until it is aborted. */
  hang(operation: Operation, family?: Family): void;
  /** Fails every such operation with this reason, until it is called without one. */
  always(operation: Operation, reason?: FailureReason): void;
  /** Runs just before the next write, between our look and our write. */
  beforeApply(change: () => void): void;
  /** Runs just after every write, before anything can be read, until it is called without a change. */
  afterApply(change?: (family: Family) => void): void;
  /** None of these is to come any more. */
  clear(): void;
}

export interface MemoryBackend extends Backend<MemoryRuleset, MemoryObservation> {
  readonly kernel: MemoryKernel;
  readonly faults: MemoryFaults;
}

export function memoryKernel(): MemoryKernel {
  return { lines: new Map(), written: [] };
}

/** A backend without a kernel: transactions apply whole or not at all, and failures are the same `BackendError`. */
export function createMemoryBackend(kernel: MemoryKernel = memoryKernel(), name = "memory"): MemoryBackend {
  const faults: { operation: Operation; family: Family | undefined; reason: FailureReason | "hang" }[] = [];
  const always = new Map<Operation, FailureReason>();
  let beforeApply: (() => void) | undefined;
  let afterApply: ((family: Family) => void) | undefined;

  async function enter(operation: Operation, family: Family | undefined, signal: AbortSignal): Promise<void> {
    const index = faults.findIndex((fault) => fault.operation === operation && (fault.family ?? family) === family);
    const fault = index < 0 ? undefined : faults.splice(index, 1)[0];
    if (fault?.reason === "hang") await aborted(signal);
    const reason = signal.aborted ? "timeout" : (fault?.reason ?? always.get(operation));
    if (reason === undefined || reason === "hang") return;
    throw new BackendError({
      reason,
      backend: name,
      operation,
      family,
      message: `${operation} failed on request: ${reason}`,
    });
  }

  function belongings(family: Family): readonly string[] {
    const lines = kernel.lines.get(family);
    return lines === undefined ? [] : [`${lines.length} rules of ${family}`];
  }

  return {
    name,
    kernel,
    faults: {
      fail: (operation, reason, family) => faults.push({ operation, reason, family }),
      hang: (operation, family) => faults.push({ operation, reason: "hang", family }),
      always: (operation, reason) => {
        if (reason === undefined) always.delete(operation);
        else always.set(operation, reason);
      },
      beforeApply: (change) => {
        beforeApply = change;
      },
      afterApply: (change) => {
        afterApply = change;
      },
      clear: () => {
        faults.length = 0;
        always.clear();
        beforeApply = undefined;
        afterApply = undefined;
      },
    },
    async probe(signal): Promise<Capabilities> {
      await enter("probe", undefined, signal);
      return { variant: "", toolVersion: "0.0.0", randomFully: true };
    },
    render: (policy) => ({ family: policy.family, lines: renderLines(policy) }),
    async observe(family, signal): Promise<MemoryObservation> {
      await enter("observe", family, signal);
      const lines = kernel.lines.get(family);
      return { family, lines, present: lines !== undefined, policy: readLines(family, lines), counters: noCounters };
    },
    plan(desired, seen) {
      const differences = compare(desired.lines, seen.lines);
      const transaction = differences.length === 0 ? "" : `${desired.family}\n${desired.lines.join("\n")}`;
      return {
        family: desired.family,
        differences,
        transaction,
        summary: transaction && `writes ${desired.lines.length} rules`,
      };
    },
    async apply(plan, signal) {
      beforeApply?.();
      beforeApply = undefined;
      await enter("apply", plan.family, signal);
      const [, ...lines] = plan.transaction.split("\n");
      kernel.lines.set(plan.family, lines);
      kernel.written.push(plan.transaction);
      afterApply?.(plan.family);
    },
    async cleanup(family, signal) {
      await enter("cleanup", family, signal);
      const own = belongings(family);
      kernel.lines.delete(family);
      return own;
    },
    async removable(family, signal) {
      await enter("observe", family, signal);
      return belongings(family);
    },
  };
}

function renderLines({ exempt, translation }: FamilyPolicy): readonly string[] {
  const ports = translation.ports.map(formatPortRange).join(",");
  const how = `masquerade${ports && ` to ${ports}`}${translation.randomFully ? " fully-random" : ""}`;
  return [...formatSet(exempt).map((prefix) => `exempt ${prefix}`), how];
}

/** The policy that lines amount to; undefined where a line is none of ours or stands in another place. */
function readLines(family: Family, lines: readonly string[] = []): FamilyPolicy | undefined {
  const how = /^masquerade(?: to ([-,\d]+))?( fully-random)?$/.exec(lines.at(-1) ?? "");
  const exempt = lines.slice(0, -1).map((line) => readPrefix(family, line.replace(/^exempt /, "")));
  if (how === null || !exempt.every((prefix) => prefix !== undefined)) return undefined;
  const ports = (how[1]?.split(",") ?? []).map((range) => {
    const [first = "", last = first] = range.split("-");
    return { first: Number(first), last: Number(last) };
  });
  const translation = { kind: "masquerade", randomFully: how[2] !== undefined, ports } as const;
  return { family, exempt: prefixSet(family, exempt), translation };
}

function compare(expected: readonly string[], found: readonly string[] | undefined): readonly Difference[] {
  if (found === undefined) return [{ kind: "table", subject: "memory" }];
  const missing = expected.filter((line) => !found.includes(line));
  const extra = found.filter((line, index) => !expected.includes(line) || found.indexOf(line) !== index);
  const differences: Difference[] = [
    ...missing.map((line) => ({ kind: "missing" as const, subject: "memory", expected: line })),
    ...extra.map((line) => ({ kind: "extra" as const, subject: "memory", found: line })),
  ];
  if (differences.length === 0 && expected.some((line, index) => line !== found[index])) {
    return [{ kind: "order", subject: "memory" }];
  }
  return differences;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
