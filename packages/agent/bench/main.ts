import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { noControlPlane, openControlPlane, writeConfig } from "./control-plane.ts";
import { measureMemory } from "./memory.ts";
import { measureWatches } from "./watches.ts";

/**
 * `pnpm bench:kubernetes [WATCHES]`: what the features cost that ask the API server for something. Everything, the API
 * server too, is in a network namespace of its own, which ends with it.
 */
const inside = "IP_MASQ_AGENT_BENCH_INSIDE";
const reason = noControlPlane();
if (reason !== undefined) {
  console.error(`not measured: ${reason}`);
  process.exitCode = 1;
} else if (process.env[inside] === undefined) {
  const words = ["--net", process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  process.exitCode =
    spawnSync("unshare", words, { stdio: "inherit", env: { ...process.env, [inside]: "1" } }).status ?? 1;
} else {
  execFileSync("ip", ["link", "set", "lo", "up"]);
  await using plane = await openControlPlane();
  await writeConfig(plane.api, "nonMasqueradeCIDRs: [10.0.0.0/8]", true);
  await measureMemory(plane);
  await measureWatches(plane, Number(process.argv[2] ?? "1000"));
}
