import { expect, test } from "vitest";
import { messages, read } from "./test-read.ts";

const manifest = `apiVersion: v1
kind: ConfigMap
metadata:
  name: ip-masq-agent
data:
  ip-masq-agent: |
    nonMasqueradeCIDRs: [10.0.0.0/8]
`;

test.each([
  ["a ConfigMap", manifest, "ip-masq-agent:2: kind"],
  ["a ConfigMap in JSON", '{"apiVersion":"v1",\n"kind":"ConfigMap","data":{}}', "ip-masq-agent:2: kind"],
  ["another kind", "kind: DaemonSet\napiVersion: apps/v1\n", "ip-masq-agent:1: kind"],
  ["a part of one", "data:\n  ip-masq-agent: |\n    masqLinkLocal: true\n", "ip-masq-agent:1: data"],
  ["its binary part", "binaryData: {config: e30K}\n", "ip-masq-agent:1: binaryData"],
])("%s in the config's place is refused, with one finding", (_, text, place) => {
  const result = read(text);
  expect(result.config).toBeUndefined();
  expect(messages(result)).toEqual([expect.stringContaining(`error manifest ${place}`)]);
});

test("the remedy works: the text below data and ip-masq-agent alone is a config", () => {
  const [message = ""] = messages(read(manifest));
  expect(message).toContain("put the text below data and ip-masq-agent alone into the file");
  const text = /ip-masq-agent: \|\n([\s\S]*)$/.exec(manifest)?.[1]?.replaceAll(/^ {4}/gm, "") ?? "";
  expect(read(text)).toMatchObject({ findings: [], config: { nonMasqueradeCIDRs: [{ line: 1 }] } });
});

test.each(["kind: ConfigMap\n", "apiVersion: v1\n", "data: text\n"])(
  "%j alone is an unknown key as any other",
  (text) => {
    expect(messages(read(text))).toEqual([expect.stringContaining("warning unknown-key")]);
  },
);
