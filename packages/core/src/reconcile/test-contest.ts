import { expect } from "vitest";
import type { Family } from "../address/family.ts";
import type { Conflict } from "./event.ts";
import type { LoopOptions } from "./loop.ts";
import { dual, first, startLoop, type TestLoop } from "./test-loop.ts";

/** A loop whose rules another program changes. */
export interface Contest extends TestLoop {
  /** Another program changes the rules of a family; the kernel tells of it, or does not. */
  tamper(lines: readonly string[] | undefined, told?: boolean, family?: Family): void;
  /**
   * Moves the clock on in steps. `each` is called at the begin of each, with the milliseconds since the start; after it,
   * what the loop says of itself is compared with the kernel.
   */
  run(milliseconds: number, stepMs: number, each?: (at: number) => void): Promise<void>;
  /** The longest time that the rules of IPv4 were wrong without a break, and in all, as far as the steps tell. */
  wrong(): { readonly longestMs: number; readonly totalMs: number };
  /** How often each operation was begun. */
  readonly calls: { observe: number; apply: number };
  conflicts(): readonly Conflict[];
}

export const foreign: readonly string[] = ["foreign"];

/** Starts the loop, has its rules in force, and from then on takes the time and counts. */
export async function startContest(options: Partial<LoopOptions> & { both?: boolean } = {}): Promise<Contest> {
  const { both = false, ...rest } = options;
  const started = await startLoop({ resyncIntervalMs: 600_000, random: () => 0.999, ...rest });
  const { loop, clock, backend, events } = started;
  const calls = { observe: 0, apply: 0 };
  for (const name of ["observe", "apply"] as const) {
    const real = backend[name].bind(backend) as (...args: readonly unknown[]) => Promise<never>;
    backend[name] = async (...args: readonly unknown[]) => {
      calls[name]++;
      return real(...args);
    };
  }
  loop.setPolicy(both ? dual : first, "start");
  await loop.idle();
  const wanted = backend.kernel.lines.get("IPv4");
  // Past the minimum gap.
  clock.advance(1_000);
  calls.observe = 0;
  calls.apply = 0;
  let since: number | undefined;
  let longestMs = 0;
  let totalMs = 0;
  /** The kernel told of a change, and since then no pass has read the rules. */
  let told = false;

  async function settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) await clock.settle();
  }

  return {
    ...started,
    calls,
    tamper(lines, notify = true, family = "IPv4") {
      if (lines === undefined) backend.kernel.lines.delete(family);
      else backend.kernel.lines.set(family, lines);
      if (!notify) return;
      told ||= family === "IPv4";
      loop.hint(family, { process: "other", pid: 7 });
    },
    async run(milliseconds, stepMs, each) {
      for (let at = 0; at < milliseconds; at += stepMs) {
        each?.(at);
        await settle();
        const isWrong = differs(backend, wanted);
        if (!isWrong) told = false;
        agree(started, told && isWrong);
        if (isWrong) totalMs += stepMs;
        since = isWrong ? (since ?? clock.monotonic()) : undefined;
        clock.advance(stepMs);
        await settle();
        if (since !== undefined) longestMs = Math.max(longestMs, clock.monotonic() - since);
        if (differs(backend, wanted)) continue;
        since = undefined;
        told = false;
      }
    },
    wrong: () => ({ longestMs, totalMs }),
    conflicts: () => events.filter((event) => event.type === "conflict"),
  };
}

function differs({ kernel }: TestLoop["backend"], wanted: readonly string[] | undefined): boolean {
  return kernel.lines.get("IPv4")?.join("\n") !== wanted?.join("\n");
}

/** Readiness, gauge and state are one; a difference of which the kernel has told is in all of them. */
function agree({ loop }: TestLoop, knownWrong: boolean): void {
  const standings = loop.standings();
  expect(loop.inForce()).toBe(standings.every(({ inForce }) => inForce));
  for (const { inForce, differences, unread } of standings) {
    if (inForce) expect({ differences, unread }).toEqual({ differences: 0, unread: false });
    if (unread) expect(differences).toBeGreaterThan(0);
  }
  const four = standings.find(({ family }) => family === "IPv4");
  if (knownWrong)
    expect({ inForce: four?.inForce, differs: (four?.differences ?? 0) > 0 }).toEqual({
      inForce: false,
      differs: true,
    });
}
