import { BackendError, type Capabilities } from "@ip-masq-agent/core";
import { type IptablesRunner, runVersion, variantOf } from "./iptables.ts";

/** No field beyond the common ones: what else we write, every iptables since 1.6.2 and kernel since 3.14 takes. */
export type IptablesCapabilities = Capabilities;

/**
 * One run, of `--version`: asking a legacy tool anything more would load the legacy modules, and the nft variant's
 * `--test` takes a jump to a chain that does not exist. What the kernel lacks shows at the first look or write.
 */
export async function probe(runner: IptablesRunner, signal: AbortSignal): Promise<IptablesCapabilities> {
  const text = await runVersion(runner, signal);
  const toolVersion = /v(\d+(?:\.\d+)+)/.exec(text)?.[1] ?? "unknown";
  const variant = variantOf(text);
  if (variant !== runner.variant) {
    throw new BackendError({
      reason: "unsupported",
      backend: runner.name,
      operation: "probe",
      message: `the tool of the ${runner.variant} variant says that it is ${variant} (${text.trim()}); choose --backend=iptables-${variant}`,
    });
  }
  // --random-fully and -w for iptables-restore came with 1.6.2.
  return { variant, toolVersion, randomFully: atLeast(toolVersion, [1, 6, 2]) };
}

/** The one comparison of versions in this package. An unknown version is taken for a recent one. */
function atLeast(version: string, least: readonly number[]): boolean {
  const parts = version.split(".").map(Number);
  if (parts.some(Number.isNaN)) return true;
  for (const [index, wanted] of least.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
