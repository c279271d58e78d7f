import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type ConfigSource, configLimits, type Finding, sizeFinding, tooManyFiles } from "@ip-masq-agent/core";
import { readBounded } from "./read-bounded.ts";

/** A config that could not be read at all; `finding` says which file, why, and what to do. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly finding: Finding;

  constructor(finding: Finding, cause?: unknown) {
    super(`${finding.file}: ${finding.reason}`, cause === undefined ? undefined : { cause });
    this.finding = finding;
  }
}

/** The key that GKE's and others' ConfigMaps use in place of `ip-masq-agent`. */
const otherKey = "config";
const usualKey = "ip-masq-agent";

/** The code of a directory without a config in it. */
export const noConfigFile = "no-config-file";

/**
 * The config files at a path: the file itself; the files `ip-masq*` of a directory, by name (Azure's layout); or, where
 * `ip-masq-agent` does not exist, the file `config` beside it (a ConfigMap with that key mounted at the same place).
 * None: the config is missing. Rejects with `SourceError` where something is there that cannot be read, and for a
 * directory without a config file in it: taking that for "no config" would drop every exempt range of a node.
 */
export async function readSources(path: string): Promise<readonly ConfigSource[]> {
  const kind = await kindOf(path);
  if (kind === "directory") {
    const files = await filesIn(path);
    if (files.length > 0) return readAll(path, files);
    throw new SourceError({
      severity: "error",
      code: noConfigFile,
      file: path,
      reason: "is a directory without a file named ip-masq* or config",
      remedy: "put the config into a file ip-masq-agent there, or name the file itself with --config",
    });
  }
  if (kind === "file") return [await readSource(path)];
  const other = join(dirname(path), otherKey);
  // Only for the usual name: a mistyped path must not lead to another file.
  return basename(path) === usualKey && (await kindOf(other)) === "file" ? [await readSource(other)] : [];
}

/** One after the other, and no further than a config may go: then what is there is refused as it is. */
async function readAll(directory: string, files: readonly string[]): Promise<readonly ConfigSource[]> {
  if (files.length > configLimits.files) throw new SourceError(tooManyFiles(directory, files.length));
  const sources: ConfigSource[] = [];
  for (const file of files) {
    sources.push(await readSource(file));
    const tooMuch = sizeFinding(sources);
    if (tooMuch !== undefined) throw new SourceError(tooMuch);
  }
  return sources;
}

async function kindOf(path: string): Promise<"file" | "directory" | "absent"> {
  const found = await stat(path).catch((cause: unknown) => {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw unreadable(path, cause);
  });
  if (found === undefined) return "absent";
  // Reading a named pipe waits for a writer, for ever. What a shell hands to `validate` as /dev/stdin has one.
  if ((found.isFIFO() || found.isSocket()) && !path.startsWith("/dev/")) {
    throw new SourceError({
      severity: "error",
      code: "unreadable",
      file: path,
      reason: `is a ${found.isFIFO() ? "named pipe" : "socket"}, not a file`,
      remedy: "put the config into a file there",
    });
  }
  return found.isDirectory() ? "directory" : "file";
}

async function filesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw unreadable(directory, cause);
  });
  const config = names.filter((name) => name.startsWith("ip-masq")).toSorted();
  const candidates = (config.length > 0 ? config : names.filter((name) => name === otherKey)).map((name) =>
    join(directory, name),
  );
  const kinds = await Promise.all(candidates.map(kindOf));
  return candidates.filter((_, index) => kinds[index] === "file");
}

async function readSource(file: string): Promise<ConfigSource> {
  const content = await readBounded(file, file.startsWith("/dev/")).catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  if ("code" in content) throw new SourceError(content);
  return { file, content };
}

function unreadable(file: string, cause: unknown): SourceError {
  const code = codeOf(cause);
  const known: Record<string, readonly [string, string]> = {
    EACCES: ["cannot be read: permission denied", "let the agent's user read it (root, or mode 0644)"],
    EPERM: ["cannot be read: operation not permitted", "let the agent's user read it (root, or mode 0644)"],
    ELOOP: ["cannot be read: its symbolic links lead in a circle", "remove the link, or point it at the config file"],
    EMFILE: ["cannot be read: too many open files", "raise the limit (ulimit -n, LimitNOFILE= in systemd)"],
    ENFILE: ["cannot be read: too many open files on this node", "raise fs.file-max (sysctl)"],
    ENOTDIR: [
      `cannot be read: ${basename(dirname(file))} above it is a file, not a directory`,
      "mount the config's directory there, or name the file itself with --config",
    ],
  };
  const [reason, remedy] = known[code] ?? [
    `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    "check the path and the volume it is on",
  ];
  return new SourceError({ severity: "error", code: "unreadable", file, reason, remedy }, cause);
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}
