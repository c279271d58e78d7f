import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { configJsonSchema } from "@ip-masq-agent/core";
import { flagReference } from "./src/commands/help.ts";
import { metricReference } from "./src/metrics/reference.ts";

/** Writes what is made from the code: pages of docs/, and the JSON schema of the config. */
const page = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
writeFileSync(page("flags.md"), flagReference());
writeFileSync(page("metrics.md"), await metricReference());
const schema = fileURLToPath(new URL("../../deploy/config.schema.json", import.meta.url));
writeFileSync(schema, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
