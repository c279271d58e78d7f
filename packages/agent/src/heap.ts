import { setFlagsFromString } from "node:v8";

/**
 * To be imported before anything else. An agent that wakes up once a minute gains nothing from a young generation that
 * only grows, nor from code compiled for speed: without these flags 10 MB more stay resident (Node 24.21, measured).
 */
for (const flag of ["--semi-space-growth-factor=1", "--optimize-for-size", "--no-opt", "--no-maglev"]) {
  setFlagsFromString(flag);
}

/** A config of so many bytes, some 1,000 CIDRs, takes longer to read by unoptimised code than the kernel takes for it. */
const largeConfigBytes = 20_000;
let small = true;

/**
 * To be called before a config is parsed. Compiles for speed where it is large: unoptimised, the worst text within the
 * limits blocks the process for 600 ms, compiled for 190. And lets the heap grow to three times of what is in use before
 * the next collection: otherwise V8 is marking whenever a change comes, and every step of it takes three times as long.
 * 10,000 CIDRs cost 10 MB more at rest, 30 MB for the seconds after a change. All the memory that V8 likes would be 300 MB.
 */
export function fitConfig(sources: readonly { readonly content: Uint8Array }[]): void {
  const bytes = sources.reduce((sum, { content }) => sum + content.byteLength, 0);
  if (!small || bytes <= largeConfigBytes) return;
  small = false;
  for (const flag of ["--semi-space-growth-factor=2", "--opt", "--maglev", "--heap-growing-percent=200"])
    setFlagsFromString(flag);
}
