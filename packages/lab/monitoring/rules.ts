import { readFile } from "node:fs/promises";
import { load } from "js-yaml";

/** A rule as Prometheus' files have it. */
export interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly (AlertingRule | RecordingRule)[] }[];
}

export const rulesFile: URL = new URL("../../../deploy/prometheus/rules.yaml", import.meta.url);

/** The one source of all rules. */
export async function readRules(): Promise<RuleFile> {
  return load(await readFile(rulesFile, "utf8")) as RuleFile;
}

export function alertsOf({ groups }: RuleFile): readonly AlertingRule[] {
  return groups.flatMap(({ rules }) => rules).filter((rule): rule is AlertingRule => "alert" in rule);
}
