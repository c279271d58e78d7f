import { asBackendError } from "@ip-masq-agent/core";
import { backendNames, createBackend } from "../backends.ts";
import { chooseBackend } from "../choose.ts";
import { type Diagnosis, note, trouble } from "./diagnosis.ts";
import type { Check, Node } from "./examination.ts";

/** Which backends can run here, and which one the agent would take. */
export const tools: Check = {
  name: "tools",
  look: async (node) => [
    ...(await chosen(node)),
    ...(await Promise.all(backendNames.map((name) => probed(name, node)))),
    ...(await Promise.all(sidekicks.map((tool) => present(tool, node)))).flat(),
  ],
};

/** No backend needs them, but people and other commands do. Only their absence is told. */
const sidekicks = [
  { name: "ip", words: ["-V"], use: "the node's addresses and routes are not looked at for ranges of pods" },
  { name: "conntrack", words: ["--version"], use: "flows cannot be looked at with it" },
] as const;

async function present({ name, words, use }: (typeof sidekicks)[number], { ask }: Node): Promise<readonly Diagnosis[]> {
  const answer = await ask(name, words);
  return "stdout" in answer ? [] : [note("info", "tools", `${answer.failure}: ${use}`)];
}

async function chosen({ options, signal }: Node): Promise<readonly Diagnosis[]> {
  const { backend: choice, masqChain: chain, protectRules: protect } = options;
  try {
    const { backend, capabilities, why } = await chooseBackend(choice, { chain, protect }, signal);
    const random = options.randomFully && !capabilities.randomFully;
    return [
      note("ok", "backend", `${backend.name}: ${why}`),
      ...(random
        ? [
            trouble(
              "warning",
              "backend",
              `${backend.name} cannot choose source ports fully at random here`,
              "flows that start at the same time may get the same port, and one of them is dropped (see conntrack's insert_failed)",
              "install a newer iptables or nft, and a kernel of 5.10 or later",
            ),
          ]
        : []),
    ];
  } catch (cause) {
    const { message } = asBackendError(cause, choice, "IPv4");
    const remedy =
      protect === "on" ? "install nft 1.1 on kernel 6.9, or use --protect-rules=auto" : "install nftables, or iptables";
    return [trouble("error", "backend", message, "the agent cannot write any rule", remedy)];
  }
}

async function probed(name: (typeof backendNames)[number], { options, signal }: Node): Promise<Diagnosis> {
  const backend = await createBackend(name, { chain: options.masqChain, protect: "auto" });
  try {
    const can = await backend.probe(signal);
    const able = [
      can.randomFully ? "fully random ports" : "no fully random ports",
      ...("protects" in can ? [can.protects === true ? "rules can be protected" : "rules cannot be protected"] : []),
    ];
    return note("ok", "tools", `${name}: ${can.toolVersion}, ${able.join(", ")}`);
  } catch (cause) {
    return note("info", "tools", `${name} cannot run: ${asBackendError(cause, name, "IPv4").message}`);
  }
}
