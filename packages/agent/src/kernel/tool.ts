import { describeEnd, runChild } from "@ip-masq-agent/child-process";

/** How a tool ended that is only asked something. */
export type Answered = { readonly stdout: string } | { readonly failure: string };

const limits = { timeoutMs: 10_000, mostOutputBytes: 64 * 1024 * 1024 } as const;

/** Asks a tool, by an argument array, within 10 s and for at most 64 MiB; a failure is an answer too, in one line. */
export async function askTool(file: string, words: readonly string[]): Promise<Answered> {
  const { end, stdout, stderr } = await runChild(file, words, limits);
  if (end.how === "exited" && end.exitCode === 0) return { stdout };
  if (end.how === "not-started" && end.code === "ENOENT") return { failure: `${file} is not in PATH` };
  if (end.how === "timed-out") return { failure: `${file} gave no answer in ${limits.timeoutMs / 1000} s` };
  if (end.how === "too-much-output") return { failure: `${file} was ended because it wrote ${describeEnd(end)}` };
  const said = stderr.trim().split("\n", 1)[0] ?? "";
  return { failure: said === "" ? `${file} ended with ${describeEnd(end)}` : said };
}
