import type { DocumentProblem } from "./problem.ts";
import { describeValue, type MapValue } from "./value.ts";

/**
 * A manifest in the place of a config: `kubectl get configmap -o yaml` saved into the file. Its keys would all be unknown
 * ones, so that the defaults would be in force with no more than warnings. A config never has a map under `data`.
 */
export function manifestIn({ entries }: MapValue): DocumentProblem | undefined {
  const find = (name: string) => entries.find(({ key }) => key === name);
  const kind = find("kind");
  const data = [find("data"), find("binaryData")].find((entry) => entry?.value.kind === "map");
  const sign = (find("apiVersion") && kind) ?? data;
  if (sign === undefined) return undefined;
  return {
    code: "manifest",
    line: sign.line,
    key: sign.key,
    value: describeValue(sign.value),
    reason: "makes the file a manifest of Kubernetes, which is not a config: no key in it would count",
    remedy:
      "put the text below data and ip-masq-agent alone into the file, or mount the ConfigMap as a volume; the command validate reads a whole manifest",
  };
}
