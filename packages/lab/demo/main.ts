import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { derivePolicy, type Policy, readConfig } from "@ip-masq-agent/core";
import { createLab, type Lab, startAgent } from "../src/index.ts";
import { openMetricsPage } from "./metrics-page.ts";
import { packetTable } from "./packets.ts";

/** The main job where anyone can watch it: the real agent, the real kernel, a node that vanishes at the end. */
const config = `# the sample config of this demo
nonMasqueradeCIDRs:
  - 10.0.0.0/8
  - 172.16.0.0/12
  - 192.168.0.0/16
  - fd00::/8
resyncInterval: 1m
`;
const added = "203.0.113.0/24";
const metricsPort = 10266;

const flags = process.argv.slice(2).filter((word) => word !== "--once");
const once = process.argv.includes("--once");

await using stack = new AsyncDisposableStack();
const interrupted = new Promise<string>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(signal));
});
const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-demo-"));
stack.defer(() => rm(directory, { recursive: true, force: true }));
const lab = stack.use(await createLab());
const file = join(directory, "ip-masq-agent");
await writeFile(file, config);

say(`A throwaway node: pod ${lab.pod.IPv4} → node ${lab.node.IPv4} → a host that answers for every other address.`);
say(
  `The same in IPv6: pod ${lab.pod.IPv6} → node ${lab.node.IPv6}. Nothing of this machine's own network is touched.\n`,
);
say(`config file ${file}:\n${indent(config)}`);

const started = performance.now();
const command = ["--backend=auto", "--enable-ipv6", `--config=${file}`, ...flags];
say(`agent: ip-masq-agent ${command.join(" ")}`);
const agent = stack.use(startAgent(lab.launcher, command));
const chosen = await agent.line(({ msg }) => msg === "backend chosen");
const backend = String(chosen["backend"]);
for (const family of ["IPv4", "IPv6"]) {
  await agent.line((line) => line.msg.startsWith("rules") && line["family"] === family);
}
say(`backend ${backend} ${chosen["toolVersion"]}: ${chosen["why"]}`);
say(
  `rules written and observed in force ${Math.round(performance.now() - started)} ms after the start of the process\n`,
);

let agreed = await showPackets(await policyOf());
say(`\nThe rules in the kernel:\n${indent(await rules(lab, backend))}`);

const page = stack.use(await openMetricsPage(lab.launcher, directory, metricsPort));
say(`metrics: ${page.address}, for as long as this runs`);
const metrics = await (await fetch(page.address)).text();
say(
  indent(
    metrics
      .split("\n")
      .filter((line) =>
        /^ip_masq_agent_(masqueraded_connections|exempt_connections|syncs|rule_drift_detected).* [1-9]/.test(line),
      )
      .join("\n"),
  ),
);

say(`\nNow ${added} is added to the config file …`);
const changed = performance.now();
await writeFile(`${file}.new`, config.replace("  - fd00::/8", `  - ${added}\n  - fd00::/8`));
await rename(`${file}.new`, file);
while (!(await rules(lab, backend)).includes(added))
  if (performance.now() - changed > 10_000) throw new Error("the change did not reach the kernel in 10 s");
say(`… and is in the kernel ${Math.round(performance.now() - changed)} ms later:\n`);
agreed = (await showPackets(await policyOf())) && agreed;

if (!agreed) {
  say("\nNot every packet left as the policy says: that is a defect.");
  process.exitCode = 1;
}
if (!once) {
  say(
    `\nThe agent goes on. Edit ${file}, or try on the node:\n  ${[...lab.launcher, "nft", "list", "ruleset"].join(" ")}\nCtrl-C ends all of it.`,
  );
  await Promise.race([interrupted, new Promise((resolve) => agent.child.once("exit", resolve))]);
}

async function showPackets(policy: Policy): Promise<boolean> {
  const { text, agree, of } = await packetTable(lab, policy);
  say(text);
  say(`  ${agree} of ${of} as the policy says`);
  return agree === of;
}

async function policyOf(): Promise<Policy> {
  const options = { reservedRanges: false, strict: true, enableIPv6: true };
  const { config: read } = readConfig([{ file, content: await readFile(file) }], options);
  if (read === undefined) throw new Error("the demo's own config is not valid");
  return derivePolicy(read, { enableIPv6: true, randomFully: true, toPorts: [] });
}

async function rules(network: Lab, name: string): Promise<string> {
  const commands =
    name === "nftables"
      ? ["ip", "ip6"].map((family) => ["nft", "list", "table", family, "ip-masq-agent"])
      : ["iptables", "ip6tables"].map((tool) => [`${name.replace("iptables", tool)}-save`, "-t", "nat"]);
  const results = await Promise.all(commands.map((words) => network.run(words)));
  return results.map(({ stdout }) => stdout.replaceAll(/^(?:#|:).*\n/gm, "")).join("");
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
