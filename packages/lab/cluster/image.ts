import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mkimage, must } from "./cluster.ts";

const build = fileURLToPath(new URL("../../../deploy/image/build.sh", import.meta.url));

export const imageName = "local/ip-masq-agent";
export const imageTag = "test";

/** The image as a tar, without a container engine: the root file system by our own script, packed by the cluster's. */
export async function buildImage(): Promise<{ readonly tar: string; readonly sizes: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-image-"));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const root = join(directory, "root");
    const sizes = await must(["bash", build, root]);
    const tar = join(directory, "image.tar");
    const entrypoint = '["/usr/bin/tini","--","/usr/bin/ip-masq-agent"]';
    await must([mkimage, "--user", "0:0", root, `${imageName}:${imageTag}`, tar, entrypoint]);
    return { tar, sizes, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
