/** What is read of any object of Kubernetes; everything else of it is looked at where it is used. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly [key: string]: unknown;
}

/** The value as a record; an empty one where it is none. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** The value as an object with a name and a version, or undefined. */
export function objectOf(value: unknown): KubernetesObject | undefined {
  const { name, resourceVersion } = recordOf(recordOf(value)["metadata"]);
  if (typeof name !== "string" || typeof resourceVersion !== "string") return undefined;
  return { ...recordOf(value), metadata: { name, resourceVersion } };
}
