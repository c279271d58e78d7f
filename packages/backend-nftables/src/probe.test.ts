import type { BackendError } from "@ip-masq-agent/core";
import { describe, expect, test } from "vitest";
import { fakeNft } from "../test/fake-nft.ts";
import { createNftablesBackend } from "./backend.ts";
import type { Protect } from "./protection.ts";

const never = new AbortController().signal;

/** An nft that takes everything but tables with an owner, and shows itself so with -V. */
const nft = (build: string, refuses = "") =>
  `[ "$1" = -V ] && { printf 'nftables v1.0.6\\n${build}\\n'; exit 0; }
input=$(cat)
case "$input" in ${refuses === "" ? "nothing" : `*${refuses}*`}) echo 'Error: unknown table option' >&2; exit 1;; esac`;

async function probed(script: string | undefined, protect: Protect = "off") {
  await using tool = await fakeNft(script);
  const backend = createNftablesBackend({ launcher: tool.launcher, protect });
  return await backend.probe(never).catch((error: BackendError) => error);
}

/** Each message names a remedy; here it is applied, and the message does not come again. */
describe("what the probe refuses, and its remedies", () => {
  test("no nft: install it", async () => {
    expect(await probed(undefined)).toMatchObject({ reason: "tool_missing", message: /install the package nftables/ });
    expect(await probed(nft("json: yes"))).toMatchObject({ toolVersion: "1.0.6" });
  });

  test("no JSON: install one that shows it", async () => {
    expect(await probed(nft("json: no"))).toMatchObject({
      message: /install one that "nft -V" shows with "json: yes"$/,
    });
    expect(await probed(nft("json: yes"))).toMatchObject({ toolVersion: "1.0.6" });
  });

  test.each([
    ["an nft without its interactive mode", nft("json: yes\\ncli: no"), nft("json: yes\\ncli: readline")],
    ["an nft or a kernel that knows no owner", nft("json: yes", "owner"), nft("json: yes")],
  ])("protection with %s: --protect-rules=auto, or another nft", async (_, cannot, can) => {
    const refused = await probed(cannot, "on");
    expect(refused).toMatchObject({
      reason: "unsupported",
      message: /; it takes nft 1.1 and kernel 6.9, or --protect-rules=auto$/,
    });
    expect(await probed(cannot, "auto")).toMatchObject({ protects: false });
    expect(await probed(can, "on")).toMatchObject({ protects: true });
  });
});
