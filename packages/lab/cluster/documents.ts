import { loadAll } from "js-yaml";

/** An object of Kubernetes, as far as a comparison needs it. */
export interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** The objects of a stream of YAML documents, by kind and name. */
export function parseDocuments(text: string): readonly KubernetesObject[] {
  const documents: unknown[] = loadAll(text);
  return documents
    .filter((document): document is KubernetesObject => typeof document === "object" && document !== null)
    .toSorted((a, b) => `${a.kind} ${a.metadata.name}`.localeCompare(`${b.kind} ${b.metadata.name}`));
}
