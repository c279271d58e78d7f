import { type Prefix, parsePrefix } from "../address/prefix.ts";
import { prefixSet } from "../address/prefix-set.ts";
import { createMemoryBackend, type MemoryBackend } from "../memory-backend.ts";
import type { FamilyPolicy, Policy } from "../policy/policy.ts";
import type { ReconcileEvent } from "./event.ts";
import { createLoop, type Loop, type LoopOptions } from "./loop.ts";
import { createTestClock, type TestClock } from "./test-clock.ts";

export function family(name: "IPv4" | "IPv6", ...cidrs: readonly string[]): FamilyPolicy {
  const exempt = prefixSet(
    name,
    cidrs.map((text) => parsePrefix(text) as Prefix),
  );
  return { family: name, exempt, translation: { kind: "masquerade", randomFully: true, ports: [] } };
}

export const first: Policy = { IPv4: family("IPv4", "10.0.0.0/8") };
export const second: Policy = { IPv4: family("IPv4", "10.0.0.0/9") };
export const dual: Policy = { ...first, IPv6: family("IPv6", "fd00::/8") };

/** A loop over a backend in memory, on a clock that stands still. */
export interface TestLoop {
  readonly loop: Loop;
  readonly clock: TestClock;
  readonly backend: MemoryBackend;
  readonly events: ReconcileEvent[];
  /** `TRIGGER RESULT` of each pass of a family. */
  synced(name?: string): readonly string[];
}

export async function startLoop(options: Partial<LoopOptions> = {}): Promise<TestLoop> {
  const clock = createTestClock();
  const backend = createMemoryBackend();
  const events: ReconcileEvent[] = [];
  const capabilities = await backend.probe(AbortSignal.timeout(1000));
  const loop = createLoop({
    backend,
    capabilities,
    clock,
    resyncIntervalMs: 60_000,
    random: () => 0,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const synced = (name = "IPv4") =>
    events.flatMap((event) =>
      event.type === "synced" && event.family === name ? [`${event.trigger} ${event.result}`] : [],
    );
  return { loop, clock, backend, events, synced };
}
