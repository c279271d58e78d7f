/**
 * Refuses to run on a Node that is too old. The bundler puts this before everything else in each of its files, written
 * for Node 12 as the rest of the file is: an old Node must be able to read all of it before it can run this. It may
 * import nothing and use nothing that Node 12 has not.
 */
const neededMajor = 24;

/** Whether a version, as `20.20.2` or `v20.20.2`, is too old. */
export function isTooOld(version: string): boolean {
  return !(Number.parseInt(version.replace(/^v/, ""), 10) >= neededMajor);
}

/** What a refusal needs to see of the machine. */
export interface Machine {
  /** The version of the Node that runs, and where its program is. */
  readonly version: string;
  readonly execPath: string;
  /** The file that was started, without symbolic links. */
  readonly file: string;
  /** `$PATH`. */
  readonly path: string;
  /** What `FILE --version` prints; undefined where there is no such program, or it does not run. */
  versionOf(file: string): string | undefined;
}

/** One line: which Node runs, which is needed, and where one is. */
export function refusal(program: string, machine: Machine): string {
  const found = places(machine)
    .map((file) => ({ file, version: machine.versionOf(file) }))
    .filter(({ version }) => version !== undefined && !isTooOld(version))[0];
  const remedy =
    found === undefined ? "no other was found: install Node 24" : `start it with ${found.file} (${found.version})`;
  return `${program}: needs Node ${neededMajor} or newer, and this is Node ${machine.version} (${machine.execPath}); ${remedy}`;
}

/** The workspace's own Node, where the file is in its dist folder; then those of PATH; then the image's and a package's. */
function places({ file, path }: Machine): readonly string[] {
  const workspace = /^(.*)\/packages\/agent\/dist\/[^/]+$/.exec(file);
  const folders = path.split(":").filter((folder) => folder.charAt(0) === "/");
  const all = [...folders, "/usr/bin", "/usr/local/bin"].map((folder) => `${folder}/node`);
  return workspace === null ? all : [`${workspace[1]}/node_modules/node/bin/node`, ...all];
}

/** Prints the refusal and ends the process with exit code 2. Node's modules are handed in: the caller knows how to get them. */
export function refuse(
  program: string,
  started: string,
  { realpathSync, writeSync }: Pick<typeof import("node:fs"), "realpathSync" | "writeSync">,
  { execFileSync }: Pick<typeof import("node:child_process"), "execFileSync">,
): never {
  const realPath = (file: string) => {
    try {
      return realpathSync(file);
    } catch (_) {
      return file;
    }
  };
  const machine: Machine = {
    version: process.versions.node,
    execPath: process.execPath,
    file: realPath(started),
    path: process.env["PATH"] || "",
    versionOf(file) {
      try {
        const answer = execFileSync(file, ["--version"], {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
          timeout: 5_000,
        });
        return answer.trim();
      } catch (_) {
        return undefined;
      }
    },
  };
  writeSync(2, `${refusal(program, machine)}\n`);
  return process.exit(2);
}
