import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commands, flagsOf, flagTable } from "../flags/commands.ts";
import { outputTo } from "../output.ts";
import { completion } from "./completion.ts";

function script(shell: string): string {
  let text = "";
  const output = outputTo({ out: (part) => (text += part), err: () => {}, colour: false });
  expect(completion(shell, output)).toBe(0);
  return text;
}

/** What bash would offer behind these words; the last is the one being typed. */
function offered(...words: readonly string[]): readonly string[] {
  const line = `${script("bash")}
compopt() { :; }
COMP_WORDS=(ip-masq-agent ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}
_ip_masq_agent; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", line], { encoding: "utf8" }).split("\n").filter(Boolean);
}

test("bash: commands first, then each command's flags and the agent's", () => {
  expect(offered("")).toEqual(commands.map(({ name }) => name));
  expect(offered("help", "cl")).toEqual(["cleanup"]);
  expect(offered("cleanup", "--dr")).toEqual(["--dry-run", "--drift-check-interval="]);
  expect(offered("ex")).toEqual(["explain"]);
  expect(offered("explain", "--fr")).toEqual(["--from="]);
  expect(offered("plan", "--fr")).toEqual([]);
  expect(offered("plan", "--scr")).toEqual(["--script"]);
  expect(offered("--enable")).toEqual(["--enable-ipv6"]);
  expect(offered("completion", "z")).toEqual(["zsh"]);
});

test.each(["bash", "zsh", "fish"])("%s: names every command and flag, and the shell can read it", (shell) => {
  const text = script(shell);
  for (const { name } of commands) {
    expect(text).toContain(name);
    for (const flag of flagsOf(name)) expect(text).toContain(flag.name);
  }
  for (const { name } of flagTable) expect(text).toContain(name);
  const directory = mkdtempSync(join(tmpdir(), "ip-masq-agent-completion-"));
  const file = join(directory, "completion");
  writeFileSync(file, text);
  const { error, status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
  rmSync(directory, { recursive: true });
  if (error !== undefined)
    process.stderr.write(`${shell} is not installed: its completion is checked for words only\n`);
  else expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("another shell is refused with a remedy", () => {
  let said = "";
  expect(completion("tcsh", outputTo({ out: () => {}, err: (text) => (said += text), colour: false }))).toBe(2);
  expect(said).toContain("use bash, zsh or fish");
});
