import { parseCommandLine } from "../flags/options.ts";
import type { Node } from "./examination.ts";

/** A node made of files, for tests; what is not said of it is not there. */
export function nodeOf(files: Record<string, string>, more: Partial<Node> = {}): Node {
  const line = parseCommandLine([]);
  if ("problem" in line) throw new Error(line.problem);
  return {
    options: line.options,
    families: ["IPv4"],
    read: async (file) => files[file],
    list: async (directory) =>
      Object.keys(files).flatMap((file) =>
        file.startsWith(`${directory}/`) ? [file.slice(directory.length + 1)] : [],
      ),
    namespaceOf: async () => "net:[1]",
    ask: async () => ({ failure: "not here" }),
    sightings: async () => [],
    signal: AbortSignal.timeout(1_000),
    ...more,
  };
}
