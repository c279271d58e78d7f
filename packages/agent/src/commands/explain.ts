import { addressBits, type Prefix, parseAddress, parsePrefix } from "@ip-masq-agent/core";
import { askAgent } from "../ask-agent.ts";
import { interpret } from "../desired.ts";
import { type Explanation, explanationOf, isSingle } from "../explain/explanation.ts";
import { explanationText, isContradicted } from "../explain/text.ts";
import type { Options } from "../flags/flag.ts";
import { addressesOf } from "../kernel/hosts.ts";
import { localAddresses } from "../kernel/local.ts";
import { kernelNow, lookEverywhere } from "../kernel/now.ts";
import { wayOut } from "../kernel/route.ts";
import type { Output } from "../output.ts";
import { configPlace, defaultsNote, snapshotNow } from "../sources/now.ts";
import { paintFor } from "../text/colour.ts";
import { tellRefused, tellTaken } from "./refused.ts";

/** Says what happens to packets for a destination. Exit code 0: the kernel does as asked, 1: cannot be told, 2: usage, 3: it does not. */
export async function explain(text: string, options: Options, output: Output): Promise<number> {
  const destinations = await resolve(text, options.hostsFile);
  if (typeof destinations === "string") return refuse(output, destinations);
  const from = options.from === undefined ? undefined : parseAddress(options.from);
  const matching = destinations.filter(({ family }) => from === undefined || family === from.family);
  if (matching.length === 0)
    return refuse(output, `--from ${options.from} is of another family than ${text}; give both of one`);

  const [snapshot, sightings, agent] = await Promise.all([
    snapshotNow(options),
    lookEverywhere(options, AbortSignal.timeout(30_000)),
    askAgent(options.metricsAddress),
  ]);
  const notReady = "answer" in agent ? agent.answer.notReady : undefined;
  const { desired, findings } = interpret(snapshot, options);
  if (desired === undefined) {
    const consequence = `${configPlace(options)} is not valid, so there is no telling what should happen`;
    tellRefused(snapshot, findings, consequence, output);
    return 1;
  }
  tellTaken(snapshot.remarks ?? [], defaultsNote(snapshot, options), output);
  const explanations = await Promise.all(
    matching.map(async (destination): Promise<Explanation> => {
      const { family } = destination;
      const explanation = {
        ...explanationOf({
          ...{ destination, policy: desired.policy, config: desired.config, protocol: options.protocol },
          local: await localAddresses(family),
          kernel: kernelNow(family, sightings),
        }),
        ...(notReady !== undefined && { notReady }),
      };
      const onWay = isSingle(destination) && explanation.verdict === "masqueraded";
      return onWay ? { ...explanation, way: await wayOut(family, explanation.destination) } : explanation;
    }),
  );
  if (options.output === "json") {
    output.json({ name: text, from: options.from, protocol: options.protocol, port: options.port, explanations });
  } else {
    for (const [at, one] of explanations.entries()) {
      output.out([...(at === 0 ? [] : [""]), ...explanationText(one, options.from, paintFor(output.colour))]);
    }
  }
  if (explanations.some(({ kernel }) => kernel.agrees === false)) return 3;
  return explanations.some(isContradicted) ? 1 : 0;
}

/** An address, a CIDR, or a name of the hosts file, as prefixes; or what is wrong with it. */
async function resolve(text: string, hostsFile: string): Promise<readonly Prefix[] | string> {
  const address = parseAddress(text);
  if (address !== undefined) return [single(address)];
  if (text.includes("/")) {
    const prefix = parsePrefix(text);
    return "code" in prefix ? `${JSON.stringify(text)} ${prefix.reason}; ${prefix.remedy}` : [prefix];
  }
  if (!/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i.test(text) || /^[\d.]+$/.test(text)) {
    return `${JSON.stringify(text)} is no address, CIDR or name; write 10.1.2.3, 10.0.0.0/8 or a name of ${hostsFile}`;
  }
  try {
    const addresses = (await addressesOf(text, hostsFile)).flatMap((found) => parseAddress(found) ?? []);
    if (addresses.length > 0) return addresses.map(single);
    return `${text} is not in ${hostsFile} (no name server is asked); give its address, or --hosts-file`;
  } catch (cause) {
    return `${hostsFile} cannot be read (${cause instanceof Error ? cause.message : String(cause)}); give an address, or --hosts-file`;
  }
}

function single({ family, value }: { readonly family: Prefix["family"]; readonly value: bigint }): Prefix {
  return { family, first: value, length: addressBits(family) };
}

function refuse(output: Output, problem: string): number {
  output.err(`ip-masq-agent: ${problem}\n`);
  return 2;
}
