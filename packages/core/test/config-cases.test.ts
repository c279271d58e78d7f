import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Family, families } from "../src/address/family.ts";
import { type Prefix, parsePrefix } from "../src/address/prefix.ts";
import { formatSet, prefixSet } from "../src/address/prefix-set.ts";
import { formatFinding } from "../src/config/finding.ts";
import { type ConfigResult, type ReadOptions, readConfig } from "../src/config/read.ts";
import { derivePolicy } from "../src/policy/derive.ts";

/** One config, and what comes of it; the sets hold link-local where it is exempt. */
interface ConfigCase {
  readonly id: string;
  /** Null: no file. Absent: `base64` holds it. */
  readonly config?: string | null;
  readonly base64?: string;
  readonly reservedRanges?: boolean;
  readonly enableIPv6?: boolean;
  readonly outcome: "applied" | "refused";
  readonly ipv4?: readonly string[];
  readonly ipv6?: readonly string[];
  /** Of the first error. */
  readonly code?: string;
}

/** A case of the Go original, recorded from its rules in a kernel. */
interface RecordedCase {
  readonly id: string;
  readonly args: readonly string[];
  readonly config?: string | null;
  readonly configBase64?: string;
  readonly upstream: {
    readonly ipv4?: { exempt: readonly string[] };
    readonly ipv6?: { exempt: readonly string[] } | null;
  };
  readonly expected: string;
}

function read(source: ConfigCase): { readonly result: ConfigResult; readonly options: ReadOptions } {
  const options: ReadOptions = {
    reservedRanges: source.reservedRanges ?? false,
    enableIPv6: source.enableIPv6 ?? false,
    strict: false,
  };
  const content = source.base64 === undefined ? Buffer.from(source.config ?? "") : Buffer.from(source.base64, "base64");
  const sources = source.config === null ? [] : [{ file: "ip-masq-agent", content }];
  return { result: readConfig(sources, options), options };
}

function exemptSets({ result, options }: ReturnType<typeof read>): Partial<Record<Family, readonly string[]>> {
  if (result.config === undefined) return {};
  const policy = derivePolicy(result.config, { enableIPv6: options.enableIPv6, randomFully: true, toPorts: [] });
  return {
    IPv4: formatSet(policy.IPv4.exempt),
    ...(policy.IPv6 === undefined ? {} : { IPv6: formatSet(policy.IPv6.exempt) }),
  };
}

function canonical(family: Family, cidrs: readonly string[]): readonly string[] {
  return formatSet(
    prefixSet(
      family,
      cidrs.map((cidr) => parsePrefix(cidr) as Prefix),
    ),
  );
}

function check(source: ConfigCase): void {
  const outcome = read(source);
  const messages = outcome.result.findings.map(formatFinding).join("\n");
  expect(outcome.result.config === undefined ? "refused" : "applied", messages).toBe(source.outcome);
  if (source.outcome === "refused") {
    const error = outcome.result.findings.find(({ severity }) => severity === "error");
    if (source.code !== undefined) expect(error?.code, messages).toBe(source.code);
    expect(messages).toContain("ip-masq-agent");
    return;
  }
  const expected = {
    ...(source.ipv4 === undefined ? {} : { IPv4: canonical("IPv4", source.ipv4) }),
    ...(source.ipv6 === undefined ? {} : { IPv6: canonical("IPv6", source.ipv6) }),
  };
  expect(exemptSets(outcome)).toEqual(expected);
}

describe("configs and what comes of them", () => {
  const cases: readonly ConfigCase[] = JSON.parse(readFileSync(new URL("config-cases.json", import.meta.url), "utf8"));
  test.each(cases)("$id", check);
});

/** Beside the checkout, where the project is developed; not part of it. */
const recorded = new URL("../../../../shared/compat/cases.json", import.meta.url);

describe("configs that the Go original was run with", () => {
  if (!existsSync(recorded)) {
    test("are not read", ({ skip }) => {
      console.warn("no ../shared/compat/cases.json beside the checkout: config-cases.json alone was checked");
      skip("no ../shared/compat/cases.json beside the checkout");
    });
    return;
  }
  const all: readonly RecordedCase[] = JSON.parse(readFileSync(recorded, "utf8"));
  // Where there is neither, the case is about flags or the file system.
  const cases = all.filter(({ config, configBase64 }) => typeof config === "string" || configBase64 !== undefined);
  test("there are some", () => {
    expect(cases.length).toBeGreaterThan(0);
  });
  test.each(cases)("$id", ({ id, args, config, configBase64, upstream, expected }) => {
    const has = (flag: string) => args.some((arg) => new RegExp(`^--?${flag}(=(true|1|t|T|TRUE|True))?$`).test(arg));
    const sets = families.map((family) => {
      const cidrs = (family === "IPv4" ? upstream.ipv4 : upstream.ipv6)?.exempt;
      return cidrs?.map((cidr) => (cidr === "all" ? (family === "IPv4" ? "0.0.0.0/0" : "::/0") : cidr));
    });
    check({
      id,
      ...(configBase64 === undefined ? { config: config ?? null } : { base64: configBase64 }),
      reservedRanges: has("nomasq-all-reserved-ranges"),
      enableIPv6: has("enable-ipv6"),
      outcome: expected === "applied" ? "applied" : "refused",
      ...(sets[0] === undefined ? {} : { ipv4: sets[0] }),
      ...(sets[1] === undefined ? {} : { ipv6: sets[1] }),
    });
  });
});
