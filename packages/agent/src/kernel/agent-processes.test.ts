import { expect, test } from "vitest";
import { agentProcesses } from "./agent-processes.ts";

/** A node with these command lines, by process id; 1 started 2, and that is this process. */
function seen(lines: Readonly<Record<string, string>>, elsewhere: readonly string[] = []) {
  const files: Readonly<Record<string, string>> = {
    "/proc/self/status": "Pid:\t2\nPPid:\t1\n",
    "/proc/1/status": "Pid:\t1\nPPid:\t0\n",
    ...Object.fromEntries(
      Object.entries(lines).map(([pid, line]) => [`/proc/${pid}/cmdline`, line.replaceAll(" ", "\0")]),
    ),
  };
  return agentProcesses({
    read: async (file) => files[file],
    list: async () => ["self", "net", ...Object.keys(lines)],
    namespaceOf: async (pid) => (elsewhere.includes(pid) ? "net:[2]" : "net:[1]"),
  });
}

test("ours by the file that Node runs, in a checkout and in the image; the original by its name", async () => {
  expect(
    await seen({
      "10": "/usr/bin/node /usr/bin/ip-masq-agent --backend=auto",
      "11": "/c/node_modules/node/bin/node /c/packages/agent/dist/ip-masq-agent.js run",
      "12": "/ip-masq-agent --masq-chain=IP-MASQ-AGENT",
      "13": "/azure-ip-masq/ip-masq-agent-v2",
    }),
  ).toEqual([
    { pid: "10", kind: "ip-masq-agent" },
    { pid: "11", kind: "ip-masq-agent" },
    { pid: "12", kind: "the original" },
    { pid: "13", kind: "the original" },
  ]);
});

test("what only names an agent is none: its first process, editors, commands that ask, this process and its parents", async () => {
  expect(
    await seen({
      "1": "/usr/bin/node /usr/bin/ip-masq-agent",
      "2": "/usr/bin/node /usr/bin/ip-masq-agent",
      "20": "/usr/bin/tini -- /usr/bin/ip-masq-agent --backend=auto",
      "21": "vim ip-masq-agent",
      "22": "/usr/bin/node /usr/bin/ip-masq-agent status",
      "23": "/usr/bin/node /usr/bin/ip-masq-agent cleanup --stay",
      "24": "/usr/bin/node /c/ip-masq-agent-kubernetes.mjs",
      "25": "",
    }),
  ).toEqual([]);
});

test("one in another network namespace is another node's", async () => {
  expect(await seen({ "10": "/usr/bin/node /usr/bin/ip-masq-agent" }, ["10"])).toEqual([]);
});
