import { formatPrefix, systemClock } from "@ip-masq-agent/core";
import { pino } from "pino";
import type { Options } from "../flags/flag.ts";
import { parseCommandLine } from "../flags/options.ts";
import { createMetrics } from "../metrics/metrics.ts";
import { type Inputs, type InputsOptions, openFileInputs } from "../sources/inputs.ts";
import type { Snapshot } from "../sources/snapshot.ts";
import { takeFirst } from "./first-config.ts";
import { createNarrator } from "./story.ts";
import { createWishes, type Wishes } from "./wishes.ts";

/** For tests: the part of an agent's process that knows of configs and not of the kernel. */
export interface TestProcess extends AsyncDisposable {
  readonly inputs: Inputs;
  readonly wishes: Wishes;
  /** Exempt prefixes that are to be in force, link-local left out; undefined: none are known. */
  exempt(): string | undefined;
  /** Log lines as `level message`. */
  readonly log: readonly string[];
  /** Reasons of what was told as Events. */
  readonly stories: readonly string[];
  gauge(name: string): Promise<number | undefined>;
}

export function optionsOf(...flags: readonly string[]): Options {
  const line = parseCommandLine(flags);
  if ("problem" in line) throw new Error(line.problem);
  return line.options;
}

export async function startProcess(
  options: Options,
  open: (inputs: InputsOptions) => Promise<Inputs> = openFileInputs,
): Promise<TestProcess> {
  const log: string[] = [];
  const stories: string[] = [];
  const metrics = createMetrics({ version: "", commit: "", nodeVersion: "" }, ["IPv4"], systemClock);
  const write = (line: string) => {
    const { level, msg } = JSON.parse(line) as { readonly level: string; readonly msg: string };
    log.push(`${level} ${msg}`);
  };
  const logger = pino({ base: null, formatters: { level: (level) => ({ level }) } }, { write });
  const narrator = createNarrator(
    ({ reason }) => stories.push(reason),
    () => "",
  );
  const wishes = createWishes({ options, clock: systemClock, metrics, logger, narrator, onDesired() {} });
  let opened: Inputs | undefined;
  const take = (snapshot: Snapshot) => {
    if (opened !== undefined && wishes.take(snapshot)) opened.accepted(snapshot);
  };
  const inputs = await open({
    ...{ path: options.config, clock: systemClock, onChange: take },
    keepIn: options.missingConfig === "keep" ? options.cacheDir : undefined,
    onTrouble: (cause) => log.push(`trouble ${String(cause)}`),
    onCopyTrouble: (file) => log.push(`no copy at ${file}`),
    onCopyIgnored: (file, why) => log.push(`ignored ${file} ${why}`),
  });
  opened = inputs;
  await takeFirst(inputs, { options, logger, wishes, take });
  return {
    ...{ inputs, wishes, log, stories },
    exempt: () =>
      wishes
        .desired()
        ?.policy.IPv4.exempt.prefixes.map(formatPrefix)
        .filter((text) => text !== "169.254.0.0/16")
        .join(" "),
    async gauge(name) {
      const line = (await metrics.text()).split("\n").find((one) => one.startsWith(`ip_masq_agent_${name} `));
      return line === undefined ? undefined : Number(line.split(" ")[1]);
    },
    [Symbol.asyncDispose]: () => inputs[Symbol.asyncDispose](),
  };
}
