import { readFile, writeFile } from "node:fs/promises";
import { agentFile, createLab, type Lab, startAgent } from "../src/index.ts";

/**
 * Makes the transcripts in documents by running them: of every block marked ```console, the commands (lines that begin
 * with `$ `) are run on a throwaway node where the agent is at work, and what they print takes the place of what stands
 * below them. All blocks of a document share one node, so that a later one sees what an earlier one did.
 *
 *   node packages/lab/demo/transcripts.ts README.md docs/operating.md
 */
const config = `nonMasqueradeCIDRs:
  - 10.0.0.0/8
  - 172.16.0.0/12
resyncInterval: 10m
`;
const next = `nonMasqueradeCIDRs:
  - 10.0.0.0/9
  - 172.16.0.0/12
  - 203.0.113.0/24
`;
/** Where the programs of the lab stand is nobody's business, and no part of a document. */
const program = `#!/bin/sh\nexec ${process.execPath} ${agentFile} "$@"\n`;

for (const document of process.argv.slice(2)) {
  await using lab = await createLab();
  await prepare(lab);
  await using agent = startAgent(lab.launcher, ["--backend=auto"]);
  await agent.line(({ msg }) => msg.startsWith("rules"));
  await pause(1_000);
  const text = await readFile(document, "utf8");
  const parts = text.split(/(^```console\n[\s\S]*?^```$)/m);
  for (const [at, part] of parts.entries()) {
    if (part.startsWith("```console\n")) parts[at] = await rerun(lab, part);
  }
  await writeFile(document, parts.join(""));
}

async function rerun(lab: Lab, block: string): Promise<string> {
  const commands = block.split("\n").filter((line) => line.startsWith("$ "));
  const lines = ["```console"];
  for (const command of commands) {
    const { exitCode, stdout, stderr } = await lab.run(["sh", "-c", command.slice(2)]);
    lines.push(
      command,
      ...`${stdout}${stderr}`
        .trimEnd()
        .split("\n")
        .filter((line, _, all) => line !== "" || all.length > 1),
    );
    if (exitCode !== 0) lines.push(`(exit code ${exitCode})`);
    // A tampered rule is mended in some 20 ms; what is shown next is what came of it.
    await pause(300);
  }
  return [...lines, "```"].join("\n");
}

/** Files where they are on a node: /etc/config above the machine's own /etc, and the program in PATH. */
async function prepare(lab: Lab): Promise<void> {
  for (const line of [
    "mount -t tmpfs tmpfs /mnt",
    "mkdir /mnt/upper /mnt/work /mnt/bin",
    "mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc",
    "mkdir -p /etc/config",
    "mount --bind /mnt/bin /usr/local/sbin",
  ]) {
    const { exitCode, stderr } = await lab.run(line.split(" "));
    if (exitCode !== 0) throw new Error(`${line}: ${stderr}`);
  }
  const write = (file: string, text: string) => lab.run(["tee", file], text);
  await write("/etc/config/ip-masq-agent", config);
  await write("/etc/config/next.yaml", next);
  await write("/usr/local/sbin/ip-masq-agent", program);
  await lab.run(["chmod", "755", "/usr/local/sbin/ip-masq-agent"]);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
