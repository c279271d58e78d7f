import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A ConfigMap volume as the kubelet writes one: each write is a new directory and a swap of the link `..data`. */
export interface ConfigVolume extends AsyncDisposable {
  readonly file: string;
  write(config: string): Promise<void>;
}

export async function createConfigVolume(): Promise<ConfigVolume> {
  const directory = await mkdtemp(join(tmpdir(), "ip-masq-agent-bench-"));
  let revision = 0;
  return {
    file: join(directory, "ip-masq-agent"),
    async write(config) {
      const name = `..${++revision}`;
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, "ip-masq-agent"), config);
      await symlink(name, join(directory, "..data_tmp"));
      await rename(join(directory, "..data_tmp"), join(directory, "..data"));
      if (revision === 1) await symlink("..data/ip-masq-agent", join(directory, "ip-masq-agent"));
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

/** A config of so many CIDRs that do not merge; `last` is one more, which two configs can differ in. */
export function configOf(count: number, last: string, resyncInterval: string, base = 20): string {
  const cidrs = Array.from({ length: count - 1 }, (_, index) => {
    return `${base + (index >> 15)}.${(index >> 7) & 255}.${(index & 127) * 2}.0/24`;
  });
  const lines = [...cidrs, last].map((cidr) => `  - ${cidr}`);
  return `nonMasqueradeCIDRs:\n${lines.join("\n")}\ncidrLimit: 100000\nresyncInterval: ${resyncInterval}\n`;
}
