import { readFile } from "node:fs/promises";
import { Environment } from "@marcbachmann/cel-js";
import { load } from "js-yaml";
import { expect, test } from "vitest";

interface PolicySpec {
  readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: readonly { readonly expression: string; readonly message: string }[];
}

const file = new URL("../../../deploy/kubernetes/components/admission/policy.yaml", import.meta.url);
const { spec } = load(await readFile(file, "utf8")) as { readonly spec: PolicySpec };

const environment = new Environment({ unlistedVariablesAreDyn: true });

/** What the API server would answer: undefined where the policy does not concern itself, else the messages of what fails. */
function verdict(object: object): readonly string[] | undefined {
  const context: Record<string, unknown> = { object, variables: {} };
  if (!spec.matchConditions.every(({ expression }) => environment.evaluate(expression, context) === true))
    return undefined;
  const variables: Record<string, unknown> = {};
  for (const { name, expression } of spec.variables) {
    variables[name] = environment.evaluate(expression, { ...context, variables });
  }
  return spec.validations.flatMap(({ expression, message }) =>
    environment.evaluate(expression, { ...context, variables }) === true ? [] : [message],
  );
}

const configMap = (data: Record<string, string>, name = "ip-masq-agent") => ({ metadata: { name }, data });

test.each([
  [
    "YAML",
    {
      "ip-masq-agent":
        '# comment\nnonMasqueradeCIDRs:\n  - 10.0.0.0/8  # why\n  - "fd00::/8"\n\nresyncInterval: 1m30s\nmasqLinkLocal: true\n',
    },
  ],
  ["another key", { config: "nonMasqueradeCIDRs: [10.0.0.0/8]\n" }],
  [
    "JSON with capitals",
    { config: '{"NonMasqueradeCIDRs": ["10.0.0.0/8"], "MasqLinkLocal": true, "ResyncInterval": "1m0s"}' },
  ],
  [
    "JSON over lines",
    {
      config:
        '{\n  "NonMasqueradeCIDRs": [\n    "10.0.0.0/8"\n  ],\n  "MasqLinkLocal": true,\n  "ResyncInterval": "60s"\n}\n',
    },
  ],
  ["nothing but comments", { "ip-masq-agent": "# nothing\n" }],
])("a config that the agent takes passes: %s", (_, data) => {
  expect(verdict(configMap(data))).toEqual([]);
});

test.each([
  ["no key of the agent's", { other: "x" }, "there is none"],
  ["a tab", { "ip-masq-agent": "nonMasqueradeCIDRs:\n\t- 10.0.0.0/8\n" }, "tabs"],
  ["no CIDR", { "ip-masq-agent": "nonMasqueradeCIDRs:\n  - 10.0.0.0\n" }, "is not a CIDR"],
  ["a length that is none", { "ip-masq-agent": "nonMasqueradeCIDRs:\n  - 10.0.0.0/33\n" }, "is not a CIDR"],
  ["an interval without unit", { "ip-masq-agent": "resyncInterval: 60\n" }, "Go duration"],
  ["a word for a boolean", { "ip-masq-agent": "masqLinkLocal: maybe\n" }, "true or false"],
  ["a slip of the pen", { "ip-masq-agent": "nonMasqeradeCIDRs:\n  - 10.0.0.0/8\n" }, "the keys are"],
])("a broken one does not: %s", (_, data, message) => {
  expect(verdict(configMap(data))?.join()).toContain(message);
});

test("other ConfigMaps are none of its business", () => {
  expect(verdict(configMap({ x: "- y" }, "kube-proxy"))).toBeUndefined();
});
