import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { must, run } from "./cluster.ts";

const here = (path: string) => fileURLToPath(new URL(`../../../deploy/${path}`, import.meta.url));

export interface Image {
  readonly name: string;
  readonly tag: string;
}

/** A kustomization of ours as kubectl renders it, with this image and components of ours; moved to a namespace if given. */
export async function kustomized(
  path: string,
  image: Image,
  components: readonly string[] = [],
  namespace?: string,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-kustomize-"));
  try {
    const resource = relative(directory, here(`kubernetes/${path}`));
    const { name: newName, tag: newTag } = image;
    const images = [{ name: "ip-masq-agent", newName, newTag }];
    const more = components.map((name) => relative(directory, here(`kubernetes/components/${name}`)));
    const kustomization = { resources: [resource], components: more, images, ...(namespace && { namespace }) };
    await writeFile(join(directory, "kustomization.yaml"), JSON.stringify(kustomization));
    return await must(["kubectl", "kustomize", directory]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Why kustomizations cannot be rendered here; undefined: they can. Components take kustomize 4, kubectl 1.21. */
export async function noKustomize(): Promise<string | undefined> {
  const { exitCode, stdout } = await run(["kubectl", "version", "--client", "-o", "json"]).catch(() => ({
    exitCode: 127,
    stdout: "",
  }));
  if (exitCode !== 0) return "there is no kubectl";
  const { minor } = (JSON.parse(stdout) as { clientVersion: { minor: string } }).clientVersion;
  return Number.parseInt(minor, 10) >= 21 ? undefined : "kubectl is older than 1.21";
}

/** A release of the chart with these values, by helm, or by Go's templates and sprig, which helm is made of. */
export async function helmRendered(
  values: object,
  release: { readonly name: string; readonly namespace: string } = { name: "ip-masq-agent", namespace: "kube-system" },
): Promise<string> {
  const { name, namespace } = release;
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-helm-"));
  try {
    const file = join(directory, "values.yaml");
    await writeFile(file, JSON.stringify(values));
    const chart = here("helm/ip-masq-agent");
    if (await hasHelm()) return await must(["helm", "template", name, chart, "-n", namespace, "-f", file]);
    const go = [
      "env",
      "GO111MODULE=off",
      "GOPATH=/usr/share/gocode",
      `GOCACHE=${join(tmpdir(), "ip-masq-agent-go")}`,
      "go",
    ];
    return await must([...go, "run", here("helm/render/main.go"), chart, namespace, name, file]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Why the chart cannot be rendered here; undefined: it can. */
export async function noHelm(): Promise<string | undefined> {
  if (await hasHelm()) return undefined;
  const { exitCode } = await run(["go", "version"]).catch(() => ({ exitCode: 127 }));
  const { exitCode: sprig } = await run(["test", "-d", "/usr/share/gocode/src/github.com/Masterminds/sprig"]);
  if (exitCode === 0 && sprig === 0) return undefined;
  return "there is neither helm nor Go with sprig (golang-go, golang-github-masterminds-sprig-dev, golang-k8s-sigs-yaml-dev)";
}

async function hasHelm(): Promise<boolean> {
  return (await run(["helm", "version"]).catch(() => ({ exitCode: 127 }))).exitCode === 0;
}
