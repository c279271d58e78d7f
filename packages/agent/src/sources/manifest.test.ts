import { formatFinding, readConfig } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { manifestConfig } from "./manifest.ts";

const options = { reservedRanges: false, strict: false, enableIPv6: false };

/** What is found in a manifest: where each CIDR stands, and everything there is to say. */
function readManifest(text: string): { readonly entries: readonly string[]; readonly said: readonly string[] } {
  const manifest = manifestConfig({ file: "cm.yaml", content: Buffer.from(text) });
  if (manifest === undefined) return { entries: [], said: ["no manifest"] };
  const { config, findings } = readConfig(manifest.sources, options);
  return {
    entries:
      manifest.sources.length === 0
        ? []
        : (config?.nonMasqueradeCIDRs ?? []).map(({ file, line }) => `${file}:${line}`),
    said: [...manifest.findings, ...findings].map((one) => `${one.severity} ${one.code} ${formatFinding(one)}`),
  };
}

const head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n";
const cidrs = "    nonMasqueradeCIDRs:\n      - 10.0.0.0/8\n";

describe("lines", () => {
  test("of a literal block are the manifest's", () => {
    expect(readManifest(`${head}data:\n  ip-masq-agent: |\n${cidrs}`)).toEqual({
      entries: ["cm.yaml[ip-masq-agent]:8"],
      said: [],
    });
    const wrong = `${head}data:\n  ip-masq-agent: |-\n\n    # a comment\n${cidrs}      - 10.1.2.3/8\n`;
    expect(readManifest(wrong).said).toEqual([
      expect.stringContaining('error cidr-misaligned cm.yaml[ip-masq-agent]:11: nonMasqueradeCIDRs[1] "10.1.2.3/8"'),
    ]);
    expect(wrong.split("\n")[10]).toBe("      - 10.1.2.3/8");
  });

  test("also where lines end with CR LF, and where another key precedes", () => {
    const text = `${head}data:\n  other: |\n    text\n  ip-masq-agent: |\n${cidrs}`.replaceAll("\n", "\r\n");
    expect(readManifest(text).entries).toEqual(["cm.yaml[ip-masq-agent]:10"]);
  });

  test.each([
    [
      "JSON",
      '{"apiVersion": "v1", "kind": "ConfigMap",\n"data": {"config": "a: 1\\nnonMasqueradeCIDRs: [10.1.2.3/8]"}}',
      2,
    ],
    ["a quoted text", `${head}data:\n  config: "a: 1\\nnonMasqueradeCIDRs: [10.1.2.3/8]"\n`, 6],
    ["a folded text", `${head}data:\n  config: >-\n    a: 1\n\n    nonMasqueradeCIDRs: [10.1.2.3/8]\n`, 6],
    ["base64", `${head}binaryData:\n  config: ${btoa("a: 1\nnonMasqueradeCIDRs: [10.1.2.3/8]")}\n`, 6],
  ])("of %s: the key's, then the text's own", (_, text, line) => {
    expect(readManifest(text).said.filter((one) => one.startsWith("error"))).toEqual([
      expect.stringContaining(`cm.yaml:${line}[config]:2: nonMasqueradeCIDRs[0]`),
    ]);
  });
});

describe("which keys count", () => {
  const map = (data: Record<string, unknown>, more = {}) =>
    JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" }, data, ...more });
  const config = (cidr: string) => `nonMasqueradeCIDRs: [${cidr}]`;

  test("ip-masq-agent, and config only where there is none", () => {
    expect(readManifest(map({ config: config("10.0.0.0/8") })).entries).toEqual(["cm.yaml:1[config]:1"]);
    const both = map({ config: config("nonsense"), "ip-masq-agent": config("10.0.0.0/8") });
    expect(readManifest(both)).toEqual({ entries: ["cm.yaml:1[ip-masq-agent]:1"], said: [] });
  });

  test("every ip-masq* of a folder, with a warning that a file's agent reads one of them", () => {
    const several = map({ "ip-masq-a": config("10.0.0.0/8"), "ip-masq-b": config("11.0.0.0/8") });
    const { entries, said } = readManifest(several);
    expect(entries).toEqual(["cm.yaml:1[ip-masq-a]:1", "cm.yaml:1[ip-masq-b]:1"]);
    expect(said).toEqual([expect.stringContaining("warning several-keys cm.yaml:1: data.ip-masq-b: is merged")]);
  });

  test.each([
    ["no key of a config", map({ other: "x" }), "no-config-key", "has no key ip-masq-agent or config, but other"],
    ["no keys", JSON.stringify({ apiVersion: "v1", kind: "ConfigMap" }), "no-config-key", "has no keys"],
    [
      "a map where a text should be",
      `${head}data:\n  ip-masq-agent:\n    nonMasqueradeCIDRs: []\n`,
      "config-map-value",
      'data.ip-masq-agent "{1 key}": is a map, and a ConfigMap holds texts; write ip-masq-agent: |',
    ],
    ["an empty value", `${head}data:\n  ip-masq-agent:\n`, "config-map-value", "is empty, and a ConfigMap holds texts"],
    ["no base64", map({}, { binaryData: { config: "nonMasq" } }), "config-map-value", "is not base64"],
    [
      "one key in data and in binaryData",
      map({ config: "" }, { binaryData: { config: "" } }),
      "duplicate-key",
      "is in data and in binaryData",
    ],
  ])("%s is an error", (_, text, code, reason) => {
    const { said } = readManifest(text);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(`error ${code} cm.yaml:`);
    expect(said[0]).toContain(reason);
  });

  test("the remedy for a map works: with the | it is a text", () => {
    expect(readManifest(`${head}data:\n  ip-masq-agent: |\n    nonMasqueradeCIDRs: [10.0.0.0/8]\n`).said).toEqual([]);
  });
});

describe("which object", () => {
  const daemonSet = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: y}\n";
  const map = `${head}data:\n  ip-masq-agent: |\n${cidrs}`;

  test("one ConfigMap among other documents, or in a List", () => {
    expect(readManifest(`${daemonSet}---\n${map}---\n`).entries).toEqual(["cm.yaml[ip-masq-agent]:12"]);
    const list = JSON.stringify({
      ...{ apiVersion: "v1", kind: "List" },
      items: [{ kind: "DaemonSet" }, { kind: "ConfigMap", data: { config: "nonMasqueradeCIDRs: [10.0.0.0/8]" } }],
    });
    expect(readManifest(list).entries).toEqual(["cm.yaml:1[config]:1"]);
  });

  test("one with a config beside one without", () => {
    const { entries } = readManifest(`${map}---\n${head}data: {other: x}\n`);
    expect(entries).toEqual(["cm.yaml[ip-masq-agent]:8"]);
  });

  test.each([
    ["no ConfigMap", daemonSet, "manifest-kind cm.yaml:1: holds DaemonSet, and no ConfigMap"],
    ["an empty List", "apiVersion: v1\nkind: List\nitems: []\n", "manifest-kind cm.yaml: holds an empty List"],
    ["two", `${map}---\n${map}`, "manifest-many cm.yaml:10: holds 2 ConfigMaps"],
  ])("%s is an error", (_, text, expected) => {
    expect(readManifest(text)).toEqual({ entries: [], said: [expect.stringContaining(`error ${expected}`)] });
  });

  test.each(["nonMasqueradeCIDRs: []", "kind: x", "- a", "", "a: [", "{"])("%j is no manifest", (text) => {
    expect(readManifest(text).said).toEqual(["no manifest"]);
  });
});
