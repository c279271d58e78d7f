import { BackendError, type Capabilities, type Prefix, parsePrefix, prefixSet } from "@ip-masq-agent/core";
import { backendName } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";
import { renderWhole } from "./render.ts";
import { rulesetOf } from "./ruleset.ts";

/** No field beyond the common ones: what we write needs nothing that a kernel since 5.2 and nft since 0.9.3 lacks. */
export type NftCapabilities = Capabilities;

/**
 * Two runs of nft: its version and JSON support, and a `--check` of a small ruleset of ours, which the kernel takes
 * apart as a real one and throws away (unlike `iptables-restore --test`). Where it fails, one more without fully-random.
 */
export async function probe(runner: NftRunner, signal: AbortSignal): Promise<NftCapabilities> {
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
  if (checked === undefined) return { variant: "", toolVersion, randomFully: true };
  const refused = checked instanceof BackendError && ["rejected", "unsupported"].includes(checked.reason);
  if (!refused) throw checked;
  // Still refused without it: the first error is the one to tell.
  await check(runner, false, signal).catch(() => Promise.reject(checked));
  return { variant: "", toolVersion, randomFully: false };
}

async function check(runner: NftRunner, randomFully: boolean, signal: AbortSignal): Promise<void> {
  const sample = parsePrefix("169.254.0.0/16");
  const exempt = prefixSet("IPv4", "code" in sample ? [] : [sample satisfies Prefix]);
  const translation = { kind: "masquerade", randomFully, ports: [{ first: 1024, last: 65535 }] } as const;
  const ruleset = rulesetOf({ family: "IPv4", exempt, translation }, { variant: "", toolVersion: "", randomFully });
  await runNft(runner, { arguments: ["--check", "-f", "-"], operation: "probe", input: renderWhole(ruleset), signal });
}
