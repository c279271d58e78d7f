import type { Finding } from "@ip-masq-agent/core";
import type { Options } from "../flags/flag.ts";
import { noConfigFile } from "./read.ts";
import type { Missing } from "./snapshot.ts";

/** What a missing config leads to: the defaults, what is in force now, or nothing at all until there is one. */
export type MissingMeaning = "defaults" | "keep" | "wait";

type MissingOptions = Pick<Options, "configGiven" | "missingConfig">;

/**
 * `had`: an agent asks that has had a config, or a copy of one. The original takes a missing file for the defaults. A path
 * that is given by name was mistyped more often than it was meant so; and an empty directory would drop every exempt
 * range of a node.
 */
export function meaningOf(
  missing: Missing,
  { configGiven, missingConfig }: MissingOptions,
  had: boolean,
): MissingMeaning {
  if (had) return missingConfig === "defaults" && missing.kind !== "directory" ? "defaults" : "keep";
  if (missingConfig === "fail" || missing.kind === "directory") return "wait";
  return missing.kind === "file" && configGiven ? "wait" : "defaults";
}

/** What there is to say of it; undefined: nothing, because no config was called for. */
export function missingFinding(missing: Missing, options: MissingOptions, had: boolean): Finding | undefined {
  const { place: file, kind } = missing;
  const code = { file: "no-config", directory: noConfigFile, configmap: "no-config-map" }[kind];
  const meaning = meaningOf(missing, options, had);
  const absent = kind === "directory" ? "is a directory without a file named ip-masq* or config" : "does not exist";
  const again = `create it again; ${kind === "configmap" ? "an empty key ip-masq-agent" : "an empty file"} means the defaults`;
  switch (meaning) {
    case "keep":
      return {
        ...{ severity: "warning", code, file },
        reason: `${kind === "directory" ? absent : "does not exist any more"}, so the last good config stays in force`,
        remedy: again,
      };
    case "defaults":
      if (had)
        return {
          ...{ severity: "warning", code, file },
          reason: "does not exist any more, so the defaults are in force",
          remedy: `${again} without this warning, and --missing-config=keep keeps the last good config`,
        };
      if (kind !== "configmap") return undefined;
      return {
        ...{ severity: "warning", code, file },
        reason: "does not exist, so the defaults are in force",
        remedy: "name the ConfigMap that there is with --config-map, or create this one",
      };
    case "wait":
      return { ...{ severity: "error", code, file, reason: absent }, remedy: waitRemedy(missing, options) };
  }
}

function waitRemedy({ kind }: Missing, { configGiven }: MissingOptions): string {
  if (kind === "directory")
    return "put the config into a file ip-masq-agent there, or name the file itself with --config";
  if (kind === "configmap")
    return "create it, name the one that there is with --config-map, or use --missing-config=defaults";
  return configGiven
    ? "create it, or correct --config"
    : "create it, or use --missing-config=defaults, since --missing-config=fail calls for a config";
}
