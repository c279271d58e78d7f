import { BackendError, type FailureReason, type Family } from "@ip-masq-agent/core";
import { backendName, checkTableName, ownerFlags } from "./names.ts";
import { type NftRunner, runNft } from "./nft.ts";

/** Whether our tables are to be owned: wherever that is possible, always, or never. */
export type Protect = "auto" | "on" | "off";

/** For the check alone, which the kernel throws away. */
const sample = `table ip ${checkTableName} { flags ${ownerFlags}; }\n`;

/**
 * Whether tables can be owned here: nft must know the flag `persist` (1.1), the kernel take it (6.9), and nft must have
 * its interactive mode. `build` is what `nft -V` prints. Rejects where it must be and cannot.
 */
export async function canProtect(
  runner: NftRunner,
  protect: Protect,
  build: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (protect === "off") return false;
  const why = /cli:\s*no/.test(build)
    ? "this nft was built without its interactive mode"
    : await refusal(runner, signal);
  if (why === undefined) return true;
  if (protect === "auto") return false;
  throw unsupported(`rules cannot be protected here: ${why}; it takes nft 1.1 and kernel 6.9, or --protect-rules=auto`);
}

async function refusal(runner: NftRunner, signal: AbortSignal): Promise<string | undefined> {
  try {
    await runNft(runner, { arguments: ["--check", "-f", "-"], operation: "probe", input: sample, signal });
    return undefined;
  } catch (error) {
    const plain: readonly FailureReason[] = ["rejected", "unsupported", "other"];
    if (error instanceof BackendError && plain.includes(error.reason)) return error.message;
    throw error;
  }
}

function unsupported(message: string, family?: Family): BackendError {
  return new BackendError({ reason: "unsupported", backend: backendName, operation: "probe", family, message });
}
