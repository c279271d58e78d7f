import { BackendError } from "@ip-masq-agent/core";
import { chooseBackend } from "../choose.ts";
import { interpret } from "../desired.ts";
import type { Options } from "../flags/flag.ts";
import { lookEverywhere } from "../kernel/now.ts";
import type { Output } from "../output.ts";
import { hasChanges, previewOf } from "../preview/preview.ts";
import { previewText, scriptOf } from "../preview/text.ts";
import { configPlace, defaultsNote, snapshotNow } from "../sources/now.ts";
import { paintFor } from "../text/colour.ts";
import { tellRefused, tellTaken } from "./refused.ts";

/** Shows what the agent would change with these flags and this config. Exit code 0: nothing, 1: failed, 3: changes. */
export async function plan(options: Options, output: Output): Promise<number> {
  const signal = AbortSignal.timeout(60_000);
  const snapshot = await snapshotNow(options);
  const { desired, findings } = interpret(snapshot, options);
  if (desired === undefined) {
    tellRefused(snapshot, findings, `${configPlace(options)} is not valid: the agent would change nothing`, output);
    return 1;
  }
  tellTaken(findings, defaultsNote(snapshot, options), output);
  try {
    const [choice, sightings] = await Promise.all([
      chooseBackend(options.backend, { chain: options.masqChain, mustProtect: options.protectRules === "on" }, signal),
      lookEverywhere(options, signal),
    ]);
    const preview = await previewOf(desired.policy, choice, sightings, signal);
    if (options.output === "json") output.json(preview);
    else output.out(options.script ? scriptOf(preview) : previewText(preview, paintFor(output.colour)));
    return hasChanges(preview) ? 3 : 0;
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    output.err(`ip-masq-agent: ${error.message}\n`);
    return 1;
  }
}
