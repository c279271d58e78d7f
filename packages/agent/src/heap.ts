import { setFlagsFromString } from "node:v8";

/**
 * To be imported before anything else. An agent that wakes up once a minute gains nothing from a young generation that
 * only grows, nor from code compiled for speed: without these flags 10 MB more stay resident (Node 24.21, measured).
 */
for (const flag of ["--semi-space-growth-factor=1", "--optimize-for-size", "--no-opt", "--no-maglev"]) {
  setFlagsFromString(flag);
}

/** So many CIDRs take longer to read by unoptimised code than the kernel takes for them. */
const manyCidrs = 1_000;
let small = true;

/**
 * Compiles for speed where a config is large: 10,000 CIDRs follow a change in half the time, for 10 MB. Letting V8 have
 * all the memory it likes halved the time once more, and took 300 MB: not on every node of a cluster.
 */
export function fitConfig(cidrs: number): void {
  if (!small || cidrs <= manyCidrs) return;
  small = false;
  for (const flag of ["--semi-space-growth-factor=2", "--opt", "--maglev"]) setFlagsFromString(flag);
}
