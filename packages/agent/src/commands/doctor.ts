import { type Family, families } from "@ip-masq-agent/core";
import { checks } from "../doctor/checks.ts";
import { examine, listIfThere, networkNamespaceOf, readIfThere } from "../doctor/examination.ts";
import { doctorText } from "../doctor/text.ts";
import type { Options } from "../flags/flag.ts";
import { lookEverywhere, type Sighting } from "../kernel/now.ts";
import { askTool } from "../kernel/tool.ts";
import type { Output } from "../output.ts";
import { paintFor } from "../text/colour.ts";

/** Checks the node this runs on, and changes nothing. Exit code 1 where there is an error, else 0. */
export async function doctor(options: Options, output: Output): Promise<number> {
  const signal = AbortSignal.timeout(60_000);
  const enabled: readonly Family[] = options.enableIPv6 ? families : ["IPv4"];
  let sightings: Promise<readonly Sighting[]> | undefined;
  const found = await examine(
    {
      ...{ options, signal, families: enabled },
      ...{ read: readIfThere, list: listIfThere, ask: askTool, namespaceOf: networkNamespaceOf },
      sightings() {
        sightings ??= lookEverywhere(options, signal);
        return sightings;
      },
    },
    checks,
  );
  const count = (level: string) => found.filter((one) => one.level === level).length;
  const [errors, warnings] = [count("error"), count("warning")];
  if (options.output === "json") output.json({ errors, warnings, findings: found });
  else output.out(doctorText(found, paintFor(output.colour)));
  return errors === 0 ? 0 : 1;
}
