import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CommandResult } from "@ip-masq-agent/core/conformance";
import { execa } from "execa";

/** A disposable Kubernetes of two nodes on this machine. */
export interface Cluster extends AsyncDisposable {
  /** kubectl; rejects where it fails. */
  kubectl(words: readonly string[], input?: string): Promise<string>;
  /** A command inside a node: its network, its mounts, its processes. */
  onNode(node: 1 | 2, command: readonly string[], input?: string): Promise<CommandResult>;
  /** Words before a command that is to run inside a node for longer. */
  launcher(node: 1 | 2): readonly string[];
  /** Starts a node again, after its kubelet was killed. */
  restart(node: 1 | 2): Promise<void>;
  /** Loads an image's tar on every node. */
  importImage(tar: string): Promise<void>;
}

const scripts = process.env["CLUSTER_SCRIPTS"] ?? fileURLToPath(new URL("../../../../shared/cluster", import.meta.url));

/** Why there is no cluster here; undefined: there can be one. */
export function noCluster(): string | undefined {
  if (!existsSync(`${scripts}/node.sh`)) return `no scripts for a cluster at ${scripts}; set CLUSTER_SCRIPTS`;
  if (process.getuid?.() !== 0) return "nodes are made of namespaces, which takes root";
  return undefined;
}

export const mkimage: string = `${scripts}/mkimage.sh`;

const limits = { timeout: 900_000, maxBuffer: 256 * 1024 * 1024 } as const;

/** Builds the cluster where it is not there yet (minutes, once), and starts two nodes afresh. */
export async function openCluster(): Promise<Cluster> {
  await must([`${scripts}/build.sh`]);
  await must([`${scripts}/node.sh`, "down", "--clean"]);
  await must([`${scripts}/node.sh`, "up"]);
  await must([`${scripts}/node.sh`, "up", "2"]);
  const launcher = (node: 1 | 2) => [`${scripts}/node.sh`, "exec", `-${node}`];
  return {
    launcher,
    kubectl: (words, input) => must([`${scripts}/node.sh`, "kubectl", ...words], input),
    onNode: (node, command, input) => run([...launcher(node), ...command], input),
    async restart(node) {
      await must([`${scripts}/node.sh`, "down", `${node}`]);
      await must([`${scripts}/node.sh`, "up", `${node}`]);
    },
    async importImage(tar) {
      await must([`${scripts}/node.sh`, "import", tar]);
    },
    async [Symbol.asyncDispose]() {
      await must([`${scripts}/node.sh`, "down", "--clean"]);
    },
  };
}

/** Runs a program to its end; rejects only where it cannot be run. */
export async function run(command: readonly string[], input?: string): Promise<CommandResult> {
  const [file = "", ...words] = command;
  const { exitCode, stdout, stderr, shortMessage } = await execa(file, words, {
    ...limits,
    ...(input === undefined ? { stdin: "ignore" } : { input }),
    killSignal: "SIGKILL",
    reject: false,
    stripFinalNewline: false,
  });
  if (exitCode === undefined) throw new Error(shortMessage);
  return { exitCode, stdout, stderr };
}

export async function must(command: readonly string[], input?: string): Promise<string> {
  const { exitCode, stdout, stderr } = await run(command, input);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: exit code ${exitCode}: ${stderr}${stdout}`);
  return stdout;
}

/** Starts a program that ends with its stdin. */
export function start(command: readonly string[]): ReturnType<typeof spawn> {
  const [file = "", ...words] = command;
  return spawn(file, words, { stdio: ["pipe", "pipe", "inherit"] });
}
