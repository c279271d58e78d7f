import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { execa } from "execa";

/** A network namespace with a mount namespace of its own, whose `/run` is empty: another xtables lock than the machine's. */
export interface Namespace extends AsyncDisposable {
  /** The process that holds the namespaces. */
  readonly pid: number;
  /**
   * What to put before a command so that it runs inside, as root. nsenter becomes the command: signals and exit code
   * are the command's own. Its working directory is `/`, because a mount namespace is entered at its root.
   */
  readonly launcher: readonly string[];
  /** Runs a command inside to its end, for at most a minute; rejects only where it cannot be run to its end. */
  run(command: readonly string[], input?: string): Promise<CommandResult>;
}

type Holder = ChildProcessByStdio<Writable, Readable, Readable>;

const runLimitMs = 60_000;
const exitLimitMs = 5_000;
const maxOutputBytes = 256 * 1024 * 1024;

/**
 * Opens a namespace without a name. It is held by `cat` reading a pipe of ours: however this process ends, even by
 * SIGKILL, the pipe closes, `cat` ends, and the kernel takes the namespace down with everything in it.
 */
export async function openNamespace(): Promise<Namespace> {
  const holder = spawn("unshare", ["--net", "--mount", "--propagation", "private", "--", "cat"], {
    // Its own session: Ctrl-C in a terminal must reach us first, so that we clean up inside before the network goes.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  await holding(holder);
  const pid = holder.pid ?? 0;
  const launcher = ["nsenter", `--net=/proc/${pid}/ns/net`, `--mount=/proc/${pid}/ns/mnt`, "--"];
  const namespace: Namespace = {
    pid,
    launcher,
    run: (command, input) => runToEnd([...launcher, ...command], input),
    [Symbol.asyncDispose]: () => endChild(holder),
  };
  try {
    await runChecked(namespace, ["mount", "-t", "tmpfs", "tmpfs", "/run"]);
  } catch (error) {
    await namespace[Symbol.asyncDispose]();
    throw error;
  }
  return namespace;
}

/** Runs a command that must succeed, and gives its stdout; the error tells the command, its exit code and its stderr. */
export async function runChecked(namespace: Namespace, command: readonly string[], input?: string): Promise<string> {
  const { exitCode, stdout, stderr } = await namespace.run(command, input);
  if (exitCode === 0) return stdout;
  throw new Error(
    `"${command.join(" ")}" in a namespace of the lab ended with exit code ${exitCode}: ${stderr.trim()}`,
  );
}

/** Ends a child that ends when its stdin does; after five seconds with SIGKILL. */
export async function endChild(child: ChildProcessByStdio<Writable, Readable, Readable | null>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  const limit = setTimeout(() => child.kill("SIGKILL"), exitLimitMs);
  child.stdin.end();
  await ended;
  clearTimeout(limit);
}

/** Waits until `cat` answers: then, and not when the process was merely started, the namespaces are made. */
async function holding(holder: Holder): Promise<void> {
  let stderr = "";
  holder.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A holder that is gone is noticed by its exit; without a listener the broken pipe would end this process.
  holder.stdin.on("error", () => {});
  holder.stdin.write("held\n");
  try {
    await Promise.race([once(holder.stdout, "data"), failed(holder)]);
  } catch (cause) {
    throw new Error(`no network namespace could be made (this needs root and unshare): ${stderr.trim()}`, { cause });
  }
}

async function failed(holder: Holder): Promise<never> {
  const [code] = await once(holder, "exit");
  throw new Error(`unshare ended with exit code ${code}`);
}

async function runToEnd(command: readonly string[], input: string | undefined): Promise<CommandResult> {
  const [file = "", ...words] = command;
  const result = await execa(file, words, {
    ...(input === undefined ? { stdin: "ignore" } : { input }),
    killSignal: "SIGKILL",
    maxBuffer: maxOutputBytes,
    reject: false,
    stripFinalNewline: false,
    timeout: runLimitMs,
  });
  if (result.exitCode === undefined) {
    throw new Error(`"${command.join(" ")}" did not run to its end: ${result.shortMessage}`, { cause: result });
  }
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}
