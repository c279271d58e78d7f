import type { Lab } from "../src/index.ts";

/** The tool that a backend writes with, run by itself on the rules that the agent left in the kernel. */
export interface Bare {
  readonly command: readonly string[];
  readonly input: string;
}

/** Reads the agent's rules back as the input for the bare tool: the same rules in one transaction. */
export async function bareOf(lab: Lab, backend: string): Promise<Bare> {
  if (backend === "nftables") {
    const table = "ip ip-masq-agent";
    const { stdout } = await lab.run(["nft", "-s", "list", "table", ...table.split(" ")]);
    return { command: ["nft", "-f", "-"], input: `add table ${table}\ndelete table ${table}\n${stdout}` };
  }
  const { stdout } = await lab.run([`${backend}-save`, "-t", "nat"]);
  const lines = stdout
    .split("\n")
    .filter((line) => !line.startsWith("#") && !/^:[A-Z]+ ACCEPT/.test(line) && !/^-A POSTROUTING/.test(line));
  return { command: [`${backend}-restore`, "--noflush", "-w", "5"], input: lines.join("\n") };
}

/** Milliseconds from start to end of the tool, several times. */
export async function timeBare(lab: Lab, { command, input }: Bare, rounds: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    const { exitCode, stderr } = await lab.run(command, input);
    if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
    times.push(performance.now() - started);
  }
  return times;
}
