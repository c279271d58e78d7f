import type { Options } from "../flags/flag.ts";

/** This node's name in Kubernetes; undefined: nobody told it. A guess would exempt another node's pods. */
export function nodeNameOf({ nodeName }: Pick<Options, "nodeName">): string | undefined {
  return nodeName ?? (process.env["NODE_NAME"] || undefined);
}
