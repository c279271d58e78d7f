import { BackendError, type Capabilities, type Prefix, parsePrefix, prefixSet } from "@ip-masq-agent/core";
import { backendName, checkTableName, tableName } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";
import { canProtect, type Protect } from "./protection.ts";
import { renderWhole } from "./render.ts";
import { rulesetOf } from "./ruleset.ts";

/** What we write needs nothing that a kernel since 5.2 and nft since 0.9.3 lacks, protection excepted. */
export interface NftCapabilities extends Capabilities {
  /** Our tables can be owned, and are to be. Without it, others can change them. */
  readonly protects: boolean;
}

/**
 * Two runs of nft: its version and JSON support, and a `--check` of a small ruleset of ours, which the kernel takes
 * apart as a real one and throws away (unlike `iptables-restore --test`). Where it fails, one more without fully-random;
 * and one for protection, unless that is off.
 */
export async function probe(runner: NftRunner, protect: Protect, signal: AbortSignal): Promise<NftCapabilities> {
  const [build = "", checked] = await Promise.all([
    runNft(runner, { arguments: ["-V"], operation: "probe", signal }),
    check(runner, true, signal).then(
      () => undefined,
      (error: unknown) => error,
    ),
  ]);
  const toolVersion = /nftables v(\d+(?:\.\d+)+)/.exec(build)?.[1] ?? "unknown";
  if (/json:\s*no/.test(build)) {
    throw new BackendError({
      reason: "unsupported",
      backend: backendName,
      operation: "probe",
      message: `nft ${toolVersion} was built without JSON, so its rules cannot be read back; install one that "nft -V" shows with "json: yes"`,
    });
  }
  const protects = await canProtect(runner, protect, build, signal);
  if (checked === undefined) return { variant: "", toolVersion, randomFully: true, protects };
  const refused = checked instanceof BackendError && ["rejected", "unsupported"].includes(checked.reason);
  if (!refused) throw checked;
  // Still refused without it: the first error is the one to tell.
  await check(runner, false, signal).catch(() => Promise.reject(checked));
  return { variant: "", toolVersion, randomFully: false, protects };
}

async function check(runner: NftRunner, randomFully: boolean, signal: AbortSignal): Promise<void> {
  const sample = parsePrefix("169.254.0.0/16");
  const exempt = prefixSet("IPv4", "code" in sample ? [] : [sample satisfies Prefix]);
  const translation = { kind: "masquerade", randomFully, ports: [{ first: 1024, last: 65535 }] } as const;
  const ruleset = rulesetOf({ family: "IPv4", exempt, translation }, { variant: "", toolVersion: "", randomFully });
  // Under another name: what is tried on a table that another process owns is refused, and says nothing of the kernel.
  const input = renderWhole(ruleset).replaceAll(tableName, checkTableName);
  await runNft(runner, { arguments: ["--check", "-f", "-"], operation: "probe", input, signal });
}
