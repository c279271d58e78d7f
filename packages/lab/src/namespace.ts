import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { execa } from "execa";

/**
 * A network and mount namespace of its own, held by a child that reads our pipe: when this process ends, however it
 * ends, the pipe closes, the child ends, and the kernel takes the namespace away. Nothing with a name is left behind.
 */
export interface Namespace extends AsyncDisposable {
  readonly pid: number;
  /** Words that put a command into the namespace. */
  readonly launcher: readonly string[];
  /** Runs a command to its end, 60 s at most; an exit code other than 0 is a result, not an error. */
  run(command: readonly string[], input?: string): Promise<CommandResult>;
  /** As `run`, but an exit code other than 0 rejects with what the command said. */
  must(command: readonly string[], input?: string): Promise<string>;
}

export async function createNamespace(): Promise<Namespace> {
  const holder = spawn("unshare", ["--net", "--mount", "--propagation", "private", "--", "cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await answers(holder);
  const pid = holder.pid ?? 0;
  const launcher = ["nsenter", `--target=${pid}`, "--net", "--mount", "--"];

  async function run(command: readonly string[], input?: string): Promise<CommandResult> {
    const [file = "", ...rest] = [...launcher, ...command];
    const result = await execa(file, rest, {
      ...(input === undefined ? { stdin: "ignore" } : { input }),
      reject: false,
      timeout: 60_000,
      stripFinalNewline: false,
    });
    if (result.exitCode === undefined) throw new Error(`${command.join(" ")}: ${result.message ?? "did not end"}`);
    return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
  }

  async function must(command: readonly string[], input?: string): Promise<string> {
    const { exitCode, stdout, stderr } = await run(command, input);
    if (exitCode === 0) return stdout;
    throw new Error(
      `${command.join(" ")}: exit code ${exitCode}: ${stderr.trim()}${input === undefined ? "" : `\n${input}`}`,
    );
  }

  // A lock file of its own: what one test holds must not stop another, nor anything on the machine.
  await must(["mount", "-t", "tmpfs", "tmpfs", "/run"]);
  await must(["ip", "link", "set", "lo", "up"]);
  return {
    pid,
    launcher,
    run,
    must,
    async [Symbol.asyncDispose]() {
      if (holder.exitCode !== null || holder.signalCode !== null) return;
      const ended = once(holder, "exit");
      holder.stdin?.end();
      holder.kill("SIGKILL");
      await ended;
    },
  };
}

/** `cat` answers only after `unshare` has made the namespaces and become it. */
async function answers(holder: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  holder.once("error", (cause) => reject(new Error("unshare cannot be started; install util-linux", { cause })));
  holder.once("exit", (code) => reject(new Error(`unshare ended with exit code ${code}; namespaces need root`)));
  holder.stdout?.once("data", () => resolve());
  holder.stdin?.on("error", reject);
  holder.stdin?.write("ready\n");
  await promise;
  holder.removeAllListeners("exit");
}
