import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { flagReference } from "./src/commands/help.ts";
import { metricReference } from "./src/metrics/reference.ts";

/** Writes the pages of docs/ that are made from the code. */
const page = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
writeFileSync(page("flags.md"), flagReference());
writeFileSync(page("metrics.md"), await metricReference());
