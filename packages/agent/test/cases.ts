import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** One case as recorded against the Go original; see docs/compatibility.md. */
export interface Case {
  readonly id: string;
  readonly args: readonly string[];
  /** Text of the config file; null: no file. */
  readonly config?: string | null;
  readonly configBase64?: string;
  /** Shell lines that prepare the file system. */
  readonly pre?: string;
  readonly upstream: { readonly outcome: Outcome; readonly ipv4?: Rules; readonly ipv6?: Rules | null };
  readonly expected: Outcome;
  readonly why?: string;
}

export type Outcome = "applied" | "refused" | "exits";

export interface Rules {
  /** CIDRs in the order of the rules; `all` is 0.0.0.0/0 or ::/0. */
  readonly exempt: readonly string[];
  readonly masquerade: readonly {
    readonly randomFully: boolean;
    readonly protocol?: string;
    readonly probability?: number;
    readonly toPorts?: string;
  }[];
}

/** The repo's own cases, and the shared collection where it lies beside the checkout. */
export function readCases(): { readonly cases: readonly Case[]; readonly from: string } {
  const own = fileURLToPath(new URL("compat-cases.json", import.meta.url));
  const shared = fileURLToPath(new URL("../../../../shared/compat/cases.json", import.meta.url));
  const read = (file: string) => JSON.parse(readFileSync(file, "utf8")) as readonly Case[];
  if (!existsSync(shared))
    return { cases: read(own), from: "the repo's own cases; no shared collection beside the checkout" };
  return { cases: [...read(own), ...read(shared)], from: "the repo's own cases and the shared collection" };
}
