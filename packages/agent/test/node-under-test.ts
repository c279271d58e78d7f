import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentProcess, createLab, type Lab, startAgent } from "@ip-masq-agent/lab";

/** A lab with a config file in a directory of its own, and the agent to be started on it. */
export interface NodeUnderTest extends AsyncDisposable {
  readonly lab: Lab;
  readonly directory: string;
  readonly file: string;
  /** Puts the config in place by a rename, as careful writers do. */
  write(config: string): Promise<void>;
  /** Starts the agent with this config, and flags of which later ones win. Ended with the node. */
  start(...flags: readonly string[]): AgentProcess;
  /** The same behind more words, such as `env PATH=…`. */
  startWith(words: readonly string[], ...flags: readonly string[]): AgentProcess;
  /** A directory with an nft of which all works but `monitor`. */
  brokenMonitor(): Promise<string>;
  /** The metrics page as numbers by series, or the text of another path. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  get(path: string, headers?: Record<string, string>): Promise<{ readonly status: number; readonly body: string }>;
  must(...command: readonly string[]): Promise<string>;
}

const port = 10266;

export async function openNode(): Promise<NodeUnderTest> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-test-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const lab = stack.use(await createLab());
  const file = join(directory, "ip-masq-agent");
  const resources = stack.move();

  async function must(...command: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await lab.run(command);
    if (exitCode !== 0) throw new Error(`${command.join(" ")}: exit code ${exitCode}: ${stderr}`);
    return stdout;
  }

  async function get(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ readonly status: number; readonly body: string }> {
    const script =
      "const r = await fetch(process.argv[1], { headers: JSON.parse(process.argv[2]) }); console.log(JSON.stringify({ status: r.status, body: await r.text() }))";
    const url = `http://127.0.0.1:${port}${path}`;
    const answer = await must(process.execPath, "--input-type=module", "-e", script, url, JSON.stringify(headers));
    return JSON.parse(answer) as { status: number; body: string };
  }

  function startWith(words: readonly string[], ...flags: readonly string[]): AgentProcess {
    const all = [`--config=${file}`, `--metrics-address=127.0.0.1:${port}`, ...flags];
    return resources.use(startAgent([...lab.launcher, ...words], all));
  }

  return {
    lab,
    directory,
    file,
    startWith,
    async brokenMonitor() {
      const tools = join(directory, "tools");
      await mkdir(tools);
      const real = (await must("sh", "-c", "command -v nft")).trim();
      const script = `#!/bin/sh\n[ "$1" = monitor ] && { echo "no monitor here" >&2; exit 1; }\nexec ${real} "$@"\n`;
      await writeFile(join(tools, "nft"), script, { mode: 0o755 });
      return tools;
    },
    async write(config) {
      await writeFile(join(directory, "next"), config);
      await rename(join(directory, "next"), file);
    },
    start: (...flags) => startWith([], ...flags),
    async metrics() {
      const { body } = await get("/metrics");
      const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      return new Map(
        lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
      );
    },
    get,
    must,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
