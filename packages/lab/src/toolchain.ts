import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A set of nft and iptables programs to test against. */
export interface Toolchain {
  /** `system`, `trixie`; for the names of tests. */
  readonly name: string;
  /** Words between a network's launcher and a command, so that these tools are found: `env PATH=…`. */
  readonly prefix: readonly string[];
}

/** Where scripts/trixie-tools.sh unpacks; `complete` is the last thing that it writes. */
const trixie: string = fileURLToPath(new URL("../../../.cache/trixie-tools", import.meta.url));

/** The machine's own tools and, where they have been unpacked, Debian trixie's; says on stderr why they are left out. */
export function toolchains(): readonly Toolchain[] {
  const system = { name: "system", prefix: [] };
  if (process.env["TOOLCHAINS"] === "system") {
    process.stderr.write("tools of Debian trixie are left out: TOOLCHAINS=system\n");
    return [system];
  }
  if (!existsSync(`${trixie}/complete`)) {
    process.stderr.write(
      "tools of Debian trixie are left out: run scripts/trixie-tools.sh to test with them as well\n",
    );
    return [system];
  }
  return [system, { name: "trixie", prefix: ["env", `PATH=${trixie}/bin:${process.env["PATH"] ?? ""}`] }];
}
