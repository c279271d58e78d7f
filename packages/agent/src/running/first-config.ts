import { formatFindings } from "@ip-masq-agent/core";
import type { Logger } from "pino";
import { interpret } from "../desired.ts";
import type { Options } from "../flags/flag.ts";
import type { Inputs } from "../sources/inputs.ts";
import type { Snapshot } from "../sources/snapshot.ts";
import type { Wishes } from "./wishes.ts";

export interface FirstConfigOptions {
  readonly options: Options;
  readonly logger: Logger;
  readonly wishes: Wishes;
  /** What is done with every snapshot. */
  take(snapshot: Snapshot): void;
}

/** Where the first config is refused, or missing and to be kept, what an earlier process found good is in force. */
export async function takeFirst(inputs: Inputs, { options, logger, wishes, take }: FirstConfigOptions): Promise<void> {
  const copy = callsForCopy(inputs.now(), options) ? await inputs.lastGood() : undefined;
  // There may be a config by now.
  if (copy !== undefined && copy.missing === undefined && callsForCopy(inputs.now(), options)) takeCopy(copy);
  take(inputs.now());

  function takeCopy(from: Snapshot): void {
    const { copiedAt } = from;
    const { desired, findings } = interpret(from, options);
    if (desired === undefined) {
      const why = formatFindings(findings);
      logger.warn({ copiedAt, why }, "the copy of the config is not valid with these flags, so it is not used");
      return;
    }
    logger.warn({ copiedAt }, "the copy of the config that was made at that time is in force");
    wishes.take(from);
  }
}

function callsForCopy(snapshot: Snapshot, options: Options): boolean {
  if (snapshot.missing !== undefined) return options.missingConfig === "keep";
  return interpret(snapshot, options).desired === undefined;
}
