import { systemClock } from "@ip-masq-agent/core";
import { afterEach, expect, test } from "vitest";
import { parseCommandLine } from "../flags/options.ts";
import { type HttpServer, startServer } from "../http/server.ts";
import { pagesOf } from "../status/pages.ts";
import type { Status } from "../status/status.ts";
import { asAgent } from "./as-agent.ts";

let server: HttpServer | undefined;
afterEach(() => server?.[Symbol.asyncDispose]());

const statusParts = {
  ...{ apiVersion: "ip-masq-agent/v1alpha1", metadata: { name: "ip-masq-agent" }, paths: [] },
  ...{ startTime: "", uptimeSeconds: 0, binaryVersion: "", commit: "", nodeVersion: "" },
  ...{ config: { path: "", files: [], warnings: [], watches: [] }, families: [], drifts: [] },
} satisfies Partial<Status>;

/** A command beside an agent that was given these flags. */
async function beside(agentsFlags: Readonly<Record<string, string>>, ...argv: readonly string[]) {
  return besideOne({}, agentsFlags, ...argv);
}

/** The same beside an agent of this state. */
async function besideOne(
  state: Pick<Partial<Status>, "config">,
  agentsFlags: Readonly<Record<string, string>>,
  ...argv: readonly string[]
) {
  const pages = pagesOf({
    given: new Map(Object.entries(agentsFlags)),
    desired: () => undefined,
    status: () => ({ kind: "Statusz", ...statusParts, ...state }) as Status,
  });
  server = await startServer({ host: "127.0.0.1", port: 0 }, pages, systemClock);
  const words = [...argv, "--as-agent", `--metrics-address=127.0.0.1:${server.port}`];
  const line = parseCommandLine(words);
  if ("problem" in line) throw new Error(line.problem);
  return asAgent(words, line);
}

test("what is not given is the agent's, what is given is not", async () => {
  const flags = { "enable-ipv6": "true", "masq-chain": "MINE", backend: "nftables" };
  expect(await beside(flags, "explain", "9.9.9.9", "--backend=iptables")).toMatchObject({
    ...{ command: "explain", words: ["9.9.9.9"] },
    options: { enableIPv6: true, masqChain: "MINE", backend: "iptables" },
  });
});

test("a config of one's own stands in for the agent's ConfigMap", async () => {
  const flags = { "config-map": "kube-system/ip-masq-agent" };
  expect(await beside(flags, "plan")).toMatchObject({ options: { configMap: { name: "ip-masq-agent" } } });
  await server?.[Symbol.asyncDispose]();
  expect(await beside(flags, "plan", "--config=./next.yaml")).toMatchObject({
    options: { config: "./next.yaml", configMap: undefined },
  });
});

test("a path that the agent was given must exist, the default path too; one that was not need not", async () => {
  const path = "/etc/config/ip-masq-agent";
  expect(await beside({ config: path }, "plan")).toMatchObject({ options: { config: path, configGiven: true } });
  await server?.[Symbol.asyncDispose]();
  expect(await beside({}, "plan")).toMatchObject({ options: { config: path, configGiven: false } });
});

test("where the agent has lost its config and is on the defaults, commands are too", async () => {
  const missing = { since: "", inForce: "defaults", why: "" } as const;
  const config = { path: "/c", files: [], warnings: [], watches: [], missing };
  expect(await besideOne({ config }, { config: "/c" }, "plan")).toMatchObject({
    options: { config: "/c", configGiven: false },
  });
});

test("without an agent it says so", async () => {
  const argv = ["doctor", "--as-agent", "--metrics-address=127.0.0.1:1"];
  const line = parseCommandLine(argv);
  if ("problem" in line) throw new Error(line.problem);
  expect(await asAgent(argv, line)).toEqual({ problem: expect.stringContaining("no agent answers at 127.0.0.1:1") });
});
