import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { load } from "js-yaml";
import { expect, test } from "vitest";
import { configJsonSchema } from "./json-schema.ts";
import { readConfig } from "./read.ts";

const accepts = new Ajv({ allowUnionTypes: true }).compile(configJsonSchema());

test("deploy/config.schema.json is what the code says, word for word", () => {
  const file = new URL("../../../../deploy/config.schema.json", import.meta.url);
  expect(readFileSync(file, "utf8")).toBe(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
});

/** What an editor marks as wrong, the parser refuses or warns of; what it lets pass, the parser takes. */
test.each([
  ["nonMasqueradeCIDRs: [10.0.0.0/8, fd00::/8]\nresyncInterval: 1m30s", true],
  ["cidrLimit: 10\nmasqLinkLocal: true\nmasqLinkLocalIPv6: false", true],
  ["nonMasqueradeCIDRs: null", true],
  ["{}", true],
  ["nonMasqueradeCIDRs: [10.0.0.0]", false],
  ["nonMasqueradeCIDRs: 10.0.0.0/8", false],
  ["masqLinkLocal: maybe", false],
  ["resyncInterval: 1 minute", false],
  ["resyncInterval: 60", false],
  ["nonMasqueradeCIDR: [10.0.0.0/8]", false],
])("%s: %s", (text, valid) => {
  expect(accepts(load(text))).toBe(valid);
  const options = { reservedRanges: false, strict: true, enableIPv6: true };
  const { config } = readConfig([{ file: "test", content: Buffer.from(text) }], options);
  expect(config !== undefined).toBe(valid);
});
