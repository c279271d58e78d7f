import { execa } from "execa";

/** How a tool ended that is only asked something. */
export type Answered = { readonly stdout: string } | { readonly failure: string };

const limits = { timeout: 10_000, maxBuffer: 64 * 1024 * 1024 } as const;

/** Asks a tool, by an argument array and within 10 s; a failure is an answer too, in one line. */
export async function askTool(file: string, words: readonly string[]): Promise<Answered> {
  const result = await execa(file, words, {
    ...limits,
    env: { LC_ALL: "C" },
    killSignal: "SIGKILL",
    reject: false,
    stdin: "ignore",
  });
  if (!result.failed) return { stdout: result.stdout };
  if (result.code === "ENOENT") return { failure: `${file} is not in PATH` };
  if (result.timedOut) return { failure: `${file} gave no answer in ${limits.timeout / 1000} s` };
  const said = result.stderr.trim().split("\n", 1)[0] ?? "";
  return { failure: said === "" ? `${file} ended with ${result.signal ?? `exit code ${result.exitCode}`}` : said };
}
