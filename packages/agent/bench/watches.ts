import { readFile } from "node:fs/promises";
import { systemClock } from "@ip-masq-agent/core";
import { watchedConfigMap } from "../src/kubernetes/config-map.ts";
import { recordOf } from "../src/kubernetes/object.ts";
import { watchObject } from "../src/kubernetes/watch-object.ts";
import { apiOf, type ControlPlane, configMap, writeConfig } from "./control-plane.ts";

/** Idle for so long, to see what watches cost by themselves: longer than between two bookmarks. */
const idleMs = 70_000;
const edits = 5;

/** What an API server pays for so many agents' watches, and how long the last of them waits for a change. */
export async function measureWatches(plane: ControlPlane, count: number): Promise<void> {
  const before = await load(plane, idleMs);
  const seen: (string | undefined)[] = Array.from({ length: count });
  const up: boolean[] = Array.from({ length: count }, () => false);
  let cpu = await cpuMs(plane);
  let from = performance.now();
  await using watches = new AsyncDisposableStack();
  for (let at = 0; at < count; at++) {
    watches.use(
      watchObject({
        // Each with credentials and connections of its own, as on a node of its own.
        ...{
          api: apiOf(plane.kubeconfig),
          object: watchedConfigMap(configMap),
          clock: systemClock,
          random: Math.random,
        },
        onObject: (object) => {
          const text = recordOf(object?.["data"])["config"];
          seen[at] = typeof text === "string" ? text : undefined;
        },
        onState: (state) => {
          up[at] = state.up;
        },
        onFailure() {},
      }),
    );
  }
  await until(() => up.every(Boolean));
  console.log(
    `${count} watches begun at once: the last is up after ${seconds(from)} s, for ${(((await cpuMs(plane)) - cpu) / 1000).toFixed(1)} s of the API server's CPU`,
  );
  const idle = await load(plane, idleMs);
  console.log(
    `idle, API server: ${percent(idle.cpu)} of a CPU with them, ${percent(before.cpu)} without (${(idle.cpu / before.cpu).toFixed(1)} times); resident ${idle.residentMB.toFixed(0)} MB with, ${before.residentMB.toFixed(0)} without (${(((idle.residentMB - before.residentMB) / count) * 1000).toFixed(0)} kB a watch)`,
  );
  const waits: { readonly median: number; readonly last: number }[] = [];
  cpu = await cpuMs(plane);
  for (let edit = 0; edit < edits; edit++) {
    const text = `nonMasqueradeCIDRs: [10.${edit}.0.0/16]`;
    const arrived: number[] = [];
    from = performance.now();
    const written = writeConfig(plane.api, text, false);
    const done = new Set<number>();
    await until(() => {
      for (let at = 0; at < count; at++) {
        if (seen[at] !== text || done.has(at)) continue;
        done.add(at);
        arrived.push(performance.now() - from);
      }
      return done.size === count;
    });
    await written;
    waits.push({ median: arrived[Math.floor(count / 2)] ?? Number.NaN, last: arrived.at(-1) ?? Number.NaN });
  }
  console.log(
    `a ConfigMap changed: half of them have it after ${waits.map((one) => one.median.toFixed(0)).join(", ")} ms, the last after ${waits.map((one) => one.last.toFixed(0)).join(", ")} ms; ${(((await cpuMs(plane)) - cpu) / edits).toFixed(0)} ms of the API server's CPU each`,
  );
  up.fill(false);
  from = performance.now();
  let readyMs = Number.NaN;
  const restarting = plane.restart().then(() => {
    readyMs = performance.now() - from;
  });
  // Every watch was broken off, and says that it is up when it is again.
  await until(() => up.every(Boolean));
  const backMs = performance.now() - from;
  await restarting;
  console.log(
    `API server stopped and started, which took ${(readyMs / 1000).toFixed(1)} s: the last watch is back ${(backMs / 1000).toFixed(1)} s after the stop began`,
  );
}

async function load(
  plane: ControlPlane,
  forMs: number,
): Promise<{ readonly cpu: number; readonly residentMB: number }> {
  const before = await cpuMs(plane);
  await new Promise((resolve) => setTimeout(resolve, forMs));
  const cpu = ((await cpuMs(plane)) - before) / forMs;
  const status = await readFile(`/proc/${await plane.pid()}/status`, "utf8");
  return { cpu, residentMB: (Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6 };
}

/** The API server's CPU time so far; the kernel counts in steps of 10 ms. */
async function cpuMs(plane: ControlPlane): Promise<number> {
  const stat = await readFile(`/proc/${await plane.pid()}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function until(passes: () => boolean): Promise<void> {
  while (!passes()) await new Promise((resolve) => setTimeout(resolve, 1));
}

function seconds(from: number): string {
  return ((performance.now() - from) / 1000).toFixed(1);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
